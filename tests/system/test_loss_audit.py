"""A short loss audit; `tests/system/loss_audit.py --seconds 600` is the long one."""

import random

import loss_audit


def test_nothing_is_lost_or_doubled_while_everything_fails(tmp_path):
    wrong, spooled = loss_audit.audit(tmp_path, 4, random.SystemRandom().randrange(1 << 30))
    assert not wrong
    assert spooled > 50
