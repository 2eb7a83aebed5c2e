"""A compiled policy on its way from the daemon to the gateway: with its pins too large a message.

In: a policy, or a descriptor that came with a message. Out: a sealed file in memory, or the policy.
Never: a file that could still change, a name on a disk.
"""

import fcntl
import os
from typing import Final

import msgspec

from cleanroom.gateway.control import ControlError
from cleanroom.policy.model import CompiledPolicy

MAX_POLICY_BYTES: Final = 128 * 1024 * 1024
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final[msgspec.json.Decoder[CompiledPolicy]] = msgspec.json.Decoder(CompiledPolicy)


def policy_file(policy: CompiledPolicy) -> int:
    """Return a descriptor of a sealed file that holds the policy; the caller's. Raises OSError."""
    descriptor = os.memfd_create("policy", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(_ENCODER.encode(policy))
        while view:
            view = view[os.write(descriptor, view) :]
        seal(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def seal(descriptor: int) -> None:
    """Let nobody change the file again. Raises OSError."""
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)


def read_policy(descriptor: int) -> CompiledPolicy:
    """Return the policy, close its file. Raises ControlError."""
    try:
        if fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
            error = "a policy came in a file that can still change"
            raise ControlError(error)
        size = os.fstat(descriptor).st_size
        if size > MAX_POLICY_BYTES:
            error = f"cannot read a policy of {size} bytes"
            raise ControlError(error)
        return _DECODER.decode(os.pread(descriptor, size, 0))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ControlError(str(error)) from error
    finally:
        os.close(descriptor)
