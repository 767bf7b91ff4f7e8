"""The people of the procedural questions; short, for byte-level students."""

NAMES = (
  "Ann Bob Cara Dan Eva Finn Gus Hana Ivo Jo Kim Leo "
  "Mia Ned Olga Pia Raj Sam Tia Uma Vic Wen Yan Zoe"
).split()
