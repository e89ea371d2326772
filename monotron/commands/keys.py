"""`monotron keys create`, `list` and `delete`: as the API's grants, without the root pair."""

import argparse

from monotron.commands.arguments import add_account, add_example, add_json
from monotron.commands.output import (
    CannotPrint,
    Table,
    fail,
    require_output,
    require_reader,
    show_json,
    show_once,
    to_json,
)
from monotron.commands.places import moment, rfc_3339
from monotron.commands.stores import account_of, call_of, with_store, with_store_to_read
from monotron.core import api_keys, expiry, names, scopes
from monotron.core.records import ApiKey
from monotron.settings import Settings
from monotron.store.contract import Reading, Store, Transaction


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its subcommands, with their arguments and functions."""
    commands = command.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("create", help="create an API key and print it as KEY:SECRET")
    command.set_defaults(run=_create_key)
    command.add_argument("scopes", metavar="SCOPE", nargs="+", help="such as read,write:series")
    command.add_argument("--name", help="who uses it, such as jenkins-prod; history shows it")
    command.add_argument(
        "--expires", metavar="TIME", help="how long it works, such as 90d or 12h; forever if unset"
    )
    add_json(command)
    add_account(command)
    add_example(command, "monotron keys create read,write:series --name jenkins-prod --expires 90d")

    command = commands.add_parser("list", help="print every API key")
    command.set_defaults(run=_list_keys)
    add_json(command)
    add_account(command)
    add_example(command, "monotron keys list")

    command = commands.add_parser("delete", help="revoke an API key")
    command.set_defaults(run=_delete_key)
    command.add_argument("key", metavar="KEY", help="the API key, without its secret")
    add_account(command)
    add_example(command, "monotron keys delete 3q0bXq2yT5n8VwK1cJ7zLrAe")


def _create_key(settings: Settings, arguments: argparse.Namespace) -> int:
    wanted = scopes.parse(arguments.scopes)
    pair = api_keys.new_pair()
    call = call_of(settings, arguments)
    name = None if arguments.name is None else names.api_key_name(arguments.name)
    expires_at = 0 if arguments.expires is None else expiry.after(call.now, arguments.expires)
    text = f"{pair.key}:{pair.secret}"
    if arguments.json:
        text = to_json({"key": pair.key, "secret": pair.secret})
    require_reader()

    def create(txn: Transaction) -> ApiKey:
        return api_keys.create(txn, call, pair, wanted, name=name, expires_at=expires_at)

    def create_and_tell(store: Store) -> None:
        api_key = store.update(create)
        try:
            show_once(text, otherwise="no API key was created")
        except CannotPrint:
            # Nobody knows its secret.
            store.update(lambda txn: api_keys.take_back(txn, api_key))
            raise

    with_store(settings, create_and_tell)
    return 0


def _list_keys(settings: Settings, arguments: argparse.Namespace) -> int:
    require_output()

    def read(reading: Reading) -> list[tuple[ApiKey, str | None]]:
        found = api_keys.get_all(reading, account_of(reading, arguments))
        return [(api_key, api_keys.name_of(reading, api_key.key)) for api_key in found]

    found = with_store_to_read(settings, lambda store: store.view(read))
    if arguments.json:
        for api_key, name in found:
            show_json(_members(api_key, name))
        return 0
    with Table(("id", "key", "created", "scopes", "name", "expires")) as table:
        for api_key, name in found:
            made, ends = _date(api_key.created_at), api_key.expires_at and _date(api_key.expires_at)
            scopes_held = " ".join(api_key.scopes)
            table.add(api_key.id, api_key.key, made, scopes_held, name or "-", ends or "-")
    return 0


def _members(api_key: ApiKey, name: str | None) -> dict[str, object]:
    ends = api_key.expires_at
    return {
        "id": api_key.id,
        "key": api_key.key,
        "created_at": rfc_3339(moment(api_key.created_at)),
        "scopes": list(api_key.scopes),
        "name": name,
        "expires_at": rfc_3339(moment(ends)) if ends else None,
    }


def _date(microseconds: int) -> str:
    return f"{moment(microseconds):%Y-%m-%d}"


def _delete_key(settings: Settings, arguments: argparse.Namespace) -> int:
    def delete(txn: Transaction) -> bool:
        return api_keys.delete(txn, account_of(txn, arguments), arguments.key)

    if not with_store(settings, lambda store: store.update(delete)):
        return fail(f"account {arguments.account} has no API key {arguments.key!r}", 1)
    return 0
