"""The serving host as a program: ``python -m scoreline.serving --help``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import uvicorn

from . import Deployments, create_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scoreline.serving", description="Serve .slm models over HTTP.")
    parser.add_argument("--models", type=Path, required=True, help="directory with ENTITY_NAME/VERSION.slm")
    parser.add_argument("--logs", type=Path, help="directory for the logs of auto_capture_config")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument(
        "--token-variable",
        metavar="NAME",
        help="environment variable with the tokens that clients may carry, separated by commas; default: no tokens",
    )
    arguments = parser.parse_args()
    if not arguments.models.is_dir():
        parser.error(f"--models: there is no directory {arguments.models}")
    tokens = []
    if arguments.token_variable:
        tokens = [token for token in os.environ.get(arguments.token_variable, "").split(",") if token]
        if not tokens:
            parser.error(f"--token-variable: {arguments.token_variable} is not set")
    app = create_app(Deployments(arguments.models, arguments.logs), tokens)
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()
