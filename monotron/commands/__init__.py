"""The subcommands of `monotron`: each is a module of its name, imported only to run it.

A name that is a keyword of Python has an underscore after it: `import_.py`.
"""

SUBCOMMANDS = {
    "serve": "answer over HTTP",
    "init": "make a store on etcd, once, before the first start",
    "next": "take the next value of a series and print it",
    "get": "print the current value of a series",
    "list": "print every series: key, value and token",
    "history": "print the values that a series has given out, newest first",
    "seed": "move a series up, so that its next value is one more",
    "delete": "delete a series with its history",
    "version": "print a semantic version, or take the next one",
    "import": "import the series of another service, of Jenkins or of a file",
    "export": "write the whole store as JSON lines",
    "advance": "move every series up, after an older state of the store was restored",
    "backup": "copy the store, even while a service runs",
    "restore": "replace the store with a backup",
    "check": "verify the store; exits 1 if it is damaged",
    "stats": "print how much is stored, and its size",
    "keys": "create, list and revoke API keys",
    "completion": "print a script with which a shell completes this command",
}
"""The subcommands, each with its line in `monotron --help`."""
