"""An independent model of the contract: what accountd must answer to a record, and what must be in Redis.

It was written from the protocol document alone, so that a misreading of the daemon's is not repeated here.
    decode    bytes to a tree, or Malformed
    rules     a tree to a command, or the fault of highest precedence
    routing   a record's key and headers: where the reply goes and what it carries
    accounts  the accounts and what commands do to them
    model     all of it together: record in, expectation out
    match     how an expectation is compared with what came
"""

from oracle.match import Any, OneOf, Optional, differences
from oracle.model import Model, Record

__all__ = ["Any", "Model", "OneOf", "Optional", "Record", "differences"]
