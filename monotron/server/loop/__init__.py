"""The event-loop server: one loop on one thread, which never waits for a disk, a lock or a client.

A request is parsed (`head`, `chunked`), becomes WSGI's environ (`environ`), and is answered by the
app in a greenlet (`parking`), which the store parks until its update is durable.
"""
