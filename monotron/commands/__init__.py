"""The subcommands of `monotron`: each file has the functions and, at its top, their arguments."""
