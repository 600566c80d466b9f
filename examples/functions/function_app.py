"""Pattern 5 without the call: the function scores its events itself, all of a batch at once.

The model is the file that SCORELINE_MODEL names. An event that cannot be scored goes on with "fraud_score": null and an
"error" that says why, so that one poisoned event neither fails its batch nor is lost.
"""
import json
import os
from datetime import datetime, timezone

import azure.functions as func

import scoreline
from scoreline.payload import PayloadError, predict_rows, to_json

app = func.FunctionApp()
model = scoreline.load(os.environ["SCORELINE_MODEL"], verify=True)


@app.event_hub_message_trigger(
    arg_name="events",
    event_hub_name="transactions",
    connection="EventHubConnection",
    cardinality=func.Cardinality.MANY,
)
@app.event_hub_output(arg_name="scored_output", event_hub_name="scored-transactions", connection="EventHubConnection")
async def score_events(events: list[func.EventHubEvent], scored_output: func.Out[list[str]]):
    """Score transactions in this process."""
    scored_output.set(score_bodies([event.get_body() for event in events]))


def score_bodies(bodies: list[bytes]) -> list[str]:
    """One JSON text per event, in the order of the events."""
    scored_at = datetime.now(timezone.utc).isoformat()
    results = [transaction_of(body) for body in bodies]
    good = [result for result in results if "error" not in result]
    for result, score in zip(good, scores_of(good)):
        result.update(score)
    return [json.dumps({**result, "scored_at": scored_at}) for result in results]


def transaction_of(body: bytes) -> dict:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        return {"fraud_score": None, "error": f"the event is not valid JSON: {error}"}
    if not isinstance(data, dict):
        return {"fraud_score": None, "error": "expected an event to be a JSON object"}
    return {name: value for name, value in data.items() if name != "error"}


def scores_of(rows: list[dict]) -> list[dict]:
    """Scores of rows; where the batch is refused, row by row, so that only those at fault get an error."""
    try:
        return [{"fraud_score": score} for score in to_json(predict_rows(model, rows))]
    except PayloadError as error:
        if len(rows) == 1:
            return [{"fraud_score": None, "error": str(error)}]
        return [scores_of([row])[0] for row in rows]
