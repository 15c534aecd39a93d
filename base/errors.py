"""The errors that a person may meet.

OchnError              everything we raise on purpose
+-- UserError          ends a command with a plain sentence and its exit code
    +-- SettingsError  every fault of the configuration at once
    +-- StartError     the machine is not as the command needs it (port, directory, lock, version)

Each package's own `errors.py` grows its branch from OchnError.
"""

from collections.abc import Sequence


class OchnError(Exception):
    pass


class UserError(OchnError):
    """`message` names the thing and the place; `way_out` says what to do."""

    exit_code = 1

    def __init__(self, message: str, way_out: str = "") -> None:
        super().__init__(f"{message}\n  {way_out}" if way_out else message)
        self.message = message
        self.way_out = way_out


class SettingsError(UserError):
    exit_code = 2

    def __init__(self, faults: Sequence[str], source: str) -> None:
        self.faults, self.source = tuple(faults), source
        lines = "".join(f"\n  - {fault}" for fault in self.faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"{source}: {count} in the configuration:{lines}")


class StartError(UserError):
    exit_code = 3
