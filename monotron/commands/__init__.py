"""The subcommands of `monotron`: each has a module of its name, imported only to run it.

A name that is a keyword of Python has an underscore after it: `import_.py`.
"""

SUBCOMMANDS = {
    "serve": "answer over HTTP",
    "next": "take the next value of a series and print it",
    "get": "print the current value of a series",
    "list": "print every series: key, value and token",
    "import": "bring in the series of another service, or what export wrote",
    "export": "write everything there is as JSON lines",
    "backup": "copy the store, beside a service or without",
    "restore": "put a backup in the place of the store",
    "check": "look at all that is stored; 1 if it is damaged",
    "stats": "print how much is stored and what it takes up",
    "keys": "API keys",
}
"""What each does, in one line for `monotron --help`."""
