"""What a service's tables forget, and when: versioned rules, small deletions, a line in the audit log."""

from shared.retention.forgetting import Forgetting
from shared.retention.rules import RetentionSettings, Rule, WrongRetentionError, read_rules
from shared.retention.store import MACHINERY

__all__ = ["MACHINERY", "Forgetting", "RetentionSettings", "Rule", "WrongRetentionError", "read_rules"]
