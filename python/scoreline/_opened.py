"""Models that this process has opened already.

Comes in: paths of ``.slm`` files. Goes out: models, shared while the file is the same one (its real path, size and times of
change). Hosts that load a model for every task or query, as Spark does, pay for it once per process.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import Tuple, Union

from ._model import Model, load

_MAX_MODELS = 16
_models: "OrderedDict[Tuple[str, int, int, int, int], Model]" = OrderedDict()
_lock = threading.Lock()


def _forget() -> None:
    """A forked child starts with a lock of its own: the parent's may have been held by another thread."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget)


def open_cached(path: Union[str, "os.PathLike[str]"]) -> Model:
    """The model in a file; opened, with its golden rows checked, only if this process does not have it yet."""
    real = os.path.realpath(path)
    try:
        status = os.stat(real)
    except OSError:
        return load(real)  # says what is wrong with the path
    # The time of the content can be set back (cp -p, tar), the other one cannot.
    key = (real, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    with _lock:
        model = _models.get(key)
        if model is None:
            model = _models[key] = load(real, verify=True)
            if len(_models) > _MAX_MODELS:
                _models.popitem(last=False)
        else:
            _models.move_to_end(key)
        return model
