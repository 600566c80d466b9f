"""A serving host: versions of models over HTTP, by the routes that existing clients already speak.

    python -m scoreline.serving --models DIRECTORY --port 8080

==================  ===================================================================================================
Databricks          ``/api/2.0/serving-endpoints`` (create, list, get, update, delete, metrics),
                    ``/serving-endpoints/NAME/invocations``
MLflow              ``/ping``, ``/health``, ``/version``, ``/invocations``
Open Inference v2   ``/v2``, ``/v2/models/NAME[/versions/VERSION]``, ``…/ready``, ``…/infer``
==================  ===================================================================================================

Models are files ``DIRECTORY/ENTITY_NAME/VERSION.slm``. Scoring, traffic, statistics and the log of calls are those of
:class:`scoreline.Endpoint`; nothing here adds to a score. Needs ``pip install scoreline[serving]`` (Starlette, uvicorn).
"""

from ._app import create_app
from ._deployments import Deployments, Refusal

__all__ = ["Deployments", "Refusal", "create_app"]
