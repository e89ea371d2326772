"""The OpenAPI document: its parts, and how they are assembled."""
