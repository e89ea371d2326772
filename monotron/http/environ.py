"""The keys of WSGI's environ that a server sets in addition to those of PEP 3333."""

REQUEST_TARGET = "REQUEST_URI"
"""The request target as the client sent it; PATH_INFO is decoded, so `%2F` is lost in it."""

COMPLETE_AT = "monotron.complete_at"
"""When the request was complete, by `time.perf_counter`; a server may leave it out."""
