"""`twofold lint`: whether a dataset, ours or not, keeps the rules of its format."""

from bot.dataset.lint.checking import Options, check
from bot.dataset.lint.report import Finding, Report
from bot.dataset.lint.rules import RULES, Rule, Severity

__all__ = ["RULES", "Finding", "Options", "Report", "Rule", "Severity", "check"]
