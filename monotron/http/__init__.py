"""The parts of HTTP that the server and the API share."""
