"""The scoring script of the deployment: the model below AZUREML_MODEL_DIR, asked as the server asks it."""
from scoreline.azureml import init, run  # noqa: F401
