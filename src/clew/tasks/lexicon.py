"""Names, things and other words from which tasks draw the text of their problems."""

from __future__ import annotations


def _listed(text: str, separator: str | None = None) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(separator))


NAMES = _listed(
    """Mia Tom Ana Ben Lea Sam Ida Max Eva Leo Zoe Jan Amy Dan Nina Paul Rosa Omar Lily Hugo Kofi Yuki Ravi Sara Emma
    Noah"""
)
THINGS = _listed(
    "apples marbles stickers pencils cards shells coins cookies buttons stamps beads plums books flowers candies eggs"
)
POOLS = {"names": NAMES, "things": THINGS}
"""Words that may stand for each other in any sentence."""
BOXES = _listed("boxes bags baskets jars drawers trays")
WARES = _listed("hat book lamp ball kite cup scarf game")
CITIES = _listed("Paris Rome Oslo Lima Cairo Tokyo Berlin Madrid Dublin Quito Delhi Athens Lisbon Vienna Prague Bern")
JOBS = _listed("teacher doctor farmer painter baker driver nurse singer writer pilot cook gardener")
PETS = _listed("dog cat horse parrot rabbit goat turtle hamster")

WORDS = _listed(
    """banana pepper letter coffee yellow summer kitchen garden window butter cherry dinner muffin bottle puzzle rabbit
    ribbon mirror carrot potato tomato cookie pillow hammer ladder saddle camera canoe engine season bamboo papaya
    cactus dragon turtle giraffe gorilla balloon raccoon tattoo cabbage whistle blossom lettuce parrot meadow valley
    tomorrow address elephant umbrella mountain cinnamon committee necessary broccoli zucchini spaghetti engineer
    successful butterfly dictionary blackberry pineapple crocodile chocolate tangerine marmalade avocado aubergine
    sunflower toothpaste newspaper telescope adventure beginning different excellent wonderful dangerous gathering
    strawberry millennium embarrass appearance possession assessment
    mississippi caterpillar hippopotamus refrigerator international understanding responsibility accommodation
    bookkeeping recommendation encyclopedia championship communication independence neighborhood entertainment
    transportation extraordinary approximately characteristic unfortunately concentration announcement constellation
    grandparents mathematical photographer temperature thunderstorm grasshopper"""
)
TOPICS = _listed(
    """a dog, the sea, rain, a garden, music, winter, a train, bread, the moon, a river, school, friends, a cat,
    the city, a book, summer, coffee, birds, a mountain, the night, a child, snow, a bridge, tea, a farm, the wind,
    a party, football, a forest, painting, the sun, a horse, cooking, a boat, flowers, a doctor, the market, a letter,
    dancing, a star, the beach, an old house, a king, a robot, breakfast, the park, a teacher, sleep, a storm, apples,
    a journey, the library, fishing, a clock, a lake, spring, a song, the office, a bicycle, the desert""",
    ",",
)
NUMBERS = _listed("zero one two three four five six seven eight nine ten eleven twelve")
