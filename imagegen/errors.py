"""Every error that the project raises on purpose.

ImageGenError
├── InputError        the request cannot be answered as asked; the message names the limit and the fix
├── CheckpointError   a checkpoint is missing, damaged or not what its sums say
├── DeviceError       the device asked for is not there, or its memory ran out
├── EngineError       an engine from outside cannot be used, or its service does not answer as it should
└── TrainingError     a run cannot start or go on; what was saved is kept

A message is an English template and its values, so that the page can show it in another language
(the template is the key in `imagegen/ui/locales/`) and a terminal can print it as it is:

    raise InputError("Ask for 1 to {limit} pictures, not {count}.", limit=64, count=100)
"""

__all__ = ["CheckpointError", "DeviceError", "EngineError", "ImageGenError", "InputError", "TrainingError"]


class ImageGenError(Exception):
    """Root of the tree. `template` is English with `{name}` fields, `values` fills them."""

    def __init__(self, template: str, **values: object) -> None:
        self.template = template
        self.values = values
        super().__init__(template.format(**values))


class InputError(ImageGenError):
    """What was asked for is outside a limit; the message says which and what to do."""


class CheckpointError(ImageGenError):
    """A checkpoint cannot be used; only the tab that needs it is off."""


class DeviceError(ImageGenError):
    """The device is not available or ran out of memory."""


class EngineError(ImageGenError):
    """What was named at start cannot paint, or the service behind it does not."""


class TrainingError(ImageGenError):
    """A training run stopped; the last good state is on disk."""
