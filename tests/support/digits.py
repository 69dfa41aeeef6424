"""The digits of the example, and the names of their classes."""

from tests.support.golden import ROOT

DIGITS = ROOT / "examples" / "digits"
NAMES = (
    *("0_zero", "1_one", "2_two", "3_three", "4_four"),
    *("5_five", "6_six", "7_seven", "8_eight", "9_nine"),
)
