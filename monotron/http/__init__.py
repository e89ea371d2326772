"""What the server and the API both know of HTTP."""
