"""Every error that Lacuna raises on purpose.

::

    LacunaError
    ├── InputError (ValueError)
    │   ├── ImageError         the picture: missing, empty, truncated, unreadable, not finite
    │   ├── MaskError          the mask: wrong size, type or dimensions, or nothing known left
    │   ├── OptionError        an option that a method does not have, or a value that it cannot take
    │   └── ConfigError        a settings file
    ├── UnknownMethodError (LookupError)
    ├── MissingDependencyError (ImportError)
    ├── WeightsError
    │   ├── WeightsNotFoundError
    │   └── ChecksumMismatchError
    ├── DeviceError
    │   ├── DeviceUnavailableError
    │   ├── DeviceOutOfMemoryError
    │   └── WorkerLostError     the process that did the work died
    ├── OutputError (OSError)  read-only, disk full, exists already
    ├── LimitError             pixels, bytes, seconds
    │   └── QueueFullError      too much is waiting already
    ├── NotFoundError (LookupError)  a project or job: never there, deleted or expired
    ├── AccessError            a server's token is missing or wrong, or the request comes from another site
    ├── ConflictError          something else is being done to the same thing
    │   └── NotReadyError       the result is not there yet
    ├── MethodError            a method failed or broke its contract
    └── Cancelled

A message says what was seen, what was expected and what to do. Foreign exceptions are mapped where a file
or a peer is touched, never further up.
"""

from __future__ import annotations


class LacunaError(Exception):
    """Base of all errors that Lacuna raises on purpose."""


class InputError(LacunaError, ValueError):
    """What the caller gave cannot be used as it is."""


class ImageError(InputError):
    """The picture is missing, empty, truncated, of an unsupported kind, or not finite."""


class MaskError(InputError):
    """The mask does not fit the picture, or leaves nothing to work with."""


class OptionError(InputError):
    """An option is unknown to the method or its value is of the wrong type or range."""


class ConfigError(InputError):
    """A settings file cannot be read or holds unknown keys."""


class UnknownMethodError(LacunaError, LookupError):
    """No method of that name is registered."""


class MissingDependencyError(LacunaError, ImportError):
    """A method needs a package or program that is not installed."""


class WeightsError(LacunaError):
    """Weights of a network are not usable."""


class WeightsNotFoundError(WeightsError):
    """No such weights, and nothing may be downloaded."""


class ChecksumMismatchError(WeightsError):
    """The weights' file is not the one that the catalogue names."""


class DeviceError(LacunaError):
    """The device cannot do what was asked."""


class DeviceUnavailableError(DeviceError):
    """There is no such device here."""


class DeviceOutOfMemoryError(DeviceError):
    """Memory ran out, on the device or in the process."""


class WorkerLostError(DeviceError):
    """The process that did the work died; the next request gets a new one."""


class OutputError(LacunaError, OSError):
    """The result cannot be written: read-only, disk full, or already there."""


class LimitError(LacunaError):
    """The request is larger than the limit allows."""


class QueueFullError(LimitError):
    """Too much is waiting already; try again later."""


class NotFoundError(LacunaError, LookupError):
    """There is no such project or job, or no longer: it was deleted or has expired."""


class AccessError(LacunaError):
    """The server's token is missing or wrong, or another site sent the request."""


class ConflictError(LacunaError):
    """Something else is being done to the same thing."""


class NotReadyError(ConflictError):
    """The result is not there yet."""


class MethodError(LacunaError):
    """A method failed, or returned something other than its contract says."""


class Cancelled(LacunaError):  # noqa: N818 - a decision of the user, not a fault
    """The work was stopped on request; nothing was written."""
