"""The OpenAPI document: what describes the API, and how it becomes one document."""
