"""An empty Falcon app, served like monotron with the same flags: the cost of the server alone."""

import argparse
import logging
import os

import falcon

from monotron.measures import WorkerSlot
from monotron.server.service import Service
from monotron.server.supervisor import serve
from monotron.settings import SETTINGS, read_settings
from monotron.waiting import Waiting

App = falcon.App[falcon.Request, falcon.Response]


class Constant:
    """Answers like the build-number API, without doing anything."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, uuid: str) -> None:
        """Answer with a constant."""
        resp.content_type = "application/json; charset=UTF-8"
        resp.data = b'{"bn":5}'

    on_get = on_post


def create_empty_app() -> App:
    """Return a Falcon app with one route and nothing else."""
    app = falcon.App()
    app.add_route("/{uuid}", Constant())
    return app


def open_service(create: bool, slot: WorkerSlot, waiting: Waiting) -> Service:
    """Return the app, which is always healthy and has nothing to close."""
    app = create_empty_app()
    return Service(app, lambda: True, lambda: None, quick_paths=(), is_long=lambda path: False)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    for setting in SETTINGS:
        parser.add_argument(setting.flag, dest=setting.flag_name, help=setting.meaning)
    settings = read_settings(os.environ, vars(parser.parse_args()))
    logging.basicConfig(level=logging.INFO)
    serve(settings, open_service)


if __name__ == "__main__":
    main()
