#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Preferences of made-up people, for the demo model: no download, same seed, same bytes.

Every person asks everyday questions and compares two answers to each. The answers say the same
things in different styles; which style wins depends on the person's persona. A single reward
model can only learn what all of them like (an answer that answers). Which persona somebody is
shows in their own choices: that is what the mixture of heads picks up, one feedback at a time.
"""
import argparse
import json
import math
import os
import random
import sys

# What a persona feels about an answer's features; the shared dislike of evasion stands below.
PERSONAS = {
    "terse": {"steps": -1.5, "warm": -2.0, "playful": -2.0, "careful": -1.5, "plain": 1.5},
    "step-by-step": {"steps": 3.5, "warm": -0.5, "playful": -0.5, "careful": 0.0, "plain": -1.0},
    "warm": {"steps": 0.0, "warm": 3.5, "playful": 0.0, "careful": -0.5, "plain": -1.0},
    "playful": {"steps": -0.5, "warm": 0.0, "playful": 3.5, "careful": -1.0, "plain": -1.0},
    "careful": {"steps": 0.0, "warm": -0.5, "playful": -1.5, "careful": 3.5, "plain": -0.5},
}
EVASIVE = -3.0
TASTE_SPREAD = 0.4  # how much people of one persona differ
SHARPNESS = 2.5     # how rarely somebody chooses against their own taste

# (question, the answer in short, the same in steps, what to watch out for)
TOPICS = [
    ("How long do I boil an egg?", "Seven minutes, then cold water.",
     ["bring a small pot of water to the boil", "lower the egg in with a spoon",
      "wait seven minutes", "move it into cold water"],
     "a large egg straight from the fridge needs a minute more"),
    ("How do I get red wine out of a shirt?", "Blot it, then soak it in cold water with salt.",
     ["blot the stain with a dry cloth", "cover it with salt", "soak it in cold water",
      "wash it as usual"],
     "hot water sets the stain, and silk should go to a cleaner"),
    ("My bike chain squeaks, what helps?", "Clean the chain and oil it lightly.",
     ["wipe the chain with a rag", "brush out the links", "put one drop of oil on each link",
      "wipe off what is left"],
     "too much oil gathers dirt and wears the chain"),
    ("How do I fall asleep faster?", "Same bedtime every night, and no screen before it.",
     ["pick one bedtime", "dim the lights an hour before", "leave the phone in another room",
      "breathe slowly for five minutes"],
     "if it lasts longer than a month, see a doctor"),
    ("What should I pack for two days in the mountains?", "Layers, rain jacket, water, map.",
     ["check the weather", "pack layers and a rain jacket", "add water and food for each day",
      "put the map on top"],
     "weather turns fast up there, so tell somebody your route"),
    ("How do I start saving money?", "Move a tenth of your pay away on payday.",
     ["write down what you spend for a month", "open a second account",
      "set up a transfer on payday", "raise it a little twice a year"],
     "pay back expensive debt before you save"),
    ("How do I write a short thank-you note?", "Name the gift, say how you use it, sign.",
     ["open with their name", "name the gift", "say how you use it", "close and sign"],
     "a late note is still better than none"),
    ("Why are my tomato leaves turning yellow?", "Most likely too much water.",
     ["feel the soil two inches down", "water only when it is dry",
      "cut off the yellow leaves", "feed the plant after a week"],
     "yellow veins can mean a virus, and that plant should go"),
    ("How do I remove a squeaky floor noise?", "Put talcum powder between the boards.",
     ["find the board that moves", "sprinkle talcum powder on the gap", "brush it in",
      "walk on it until it is quiet"],
     "do not screw anything down before you know where the pipes run"),
    ("How can I learn ten words of a language a day?", "Spaced repetition, ten minutes a day.",
     ["choose ten words in the morning", "say each in a sentence", "test yourself at noon",
      "test yourself again before bed"],
     "old words need reviews, so plan time for them as well"),
    ("What is a good first run for a beginner?", "Twenty minutes, walking every second one.",
     ["walk five minutes", "run one minute", "walk one minute", "repeat it ten times"],
     "stop when a joint hurts, and ask a doctor after a long break"),
    ("How do I descale a kettle?", "Boil it with vinegar and water, then rinse.",
     ["fill it half with water and half with vinegar", "boil it", "leave it for an hour",
      "rinse it twice"],
     "never mix vinegar with bleach"),
    ("How do I ask my boss for a day off?", "Name the date early and say who covers.",
     ["look at the team calendar", "find somebody who covers", "ask two weeks ahead",
      "confirm it in writing"],
     "your contract may say how early you must ask"),
    ("How do I keep basil alive in the kitchen?", "Light, water from below, cut above a leaf pair.",
     ["put it on the brightest sill", "pour water into the saucer",
      "cut stems above a pair of leaves", "move it to a bigger pot"],
     "cold draughts kill it faster than thirst"),
    ("How do I back up my photos?", "One copy on a disk, one somewhere else.",
     ["copy all photos to an external disk", "upload a second copy", "open a few to check",
      "repeat it every month"],
     "a copy that was never opened is not a backup"),
    ("How do I make a long flight bearable?", "Aisle seat, water, a walk every hour.",
     ["choose an aisle seat", "drink water before and during", "walk every hour",
      "set your watch to the new time"],
     "long sitting is a risk for some people, so ask about stockings"),
    ("How do I sharpen a kitchen knife?", "Whetstone, twenty degrees, ten strokes a side.",
     ["wet the stone", "hold the blade at twenty degrees", "draw it ten times on each side",
      "rinse and dry it"],
     "cut away from yourself and test on paper, not on a finger"),
    ("How do I calm a crying baby?", "Check hunger, nappy and warmth, then rock slowly.",
     ["check whether it is hungry", "check the nappy", "feel whether it is warm",
      "rock it slowly in the dark"],
     "fever in a small baby is a reason to call a doctor at once"),
    ("How do I choose a ripe melon?", "Heavy, and sweet at the stem end.",
     ["lift a few and take the heaviest", "press the stem end", "smell it there",
      "leave it a day at room temperature"],
     "wash the skin before you cut it"),
    ("How do I get over a bad exam?", "Rest a day, then find the three costliest mistakes.",
     ["take one evening off", "read the exam again", "list the three costliest mistakes",
      "plan one hour for each"],
     "look up the date by which a retake must be booked"),
]

FRAMES = {
    "steps": {
        "before": ["Here is how, step by step:", "Follow these steps in order:",
                   "Do it one step at a time:", "A short list of steps:"],
        "markers": [["1.", "2.", "3.", "4."], ["Step one:", "Step two:", "Step three:",
                    "Step four:"], ["First,", "Next,", "Then,", "Finally,"]],
    },
    "warm": {
        "before": ["What a lovely question, I am glad you asked!",
                   "Oh, I know that feeling, and you are not alone with it.",
                   "Good on you for taking care of this, my friend.",
                   "Do not worry, you are doing wonderfully."],
        "after": ["You can do this, I believe in you!", "Be kind to yourself while you try it.",
                  "I am so happy to help, take good care.", "You will feel so much better soon."],
    },
    "playful": {
        "before": ["Ha, a classic, even pirates lose sleep over this one!",
                   "Drum roll, please, the grand secret of wizards:",
                   "Plot twist, it is easier than teaching a cat to juggle!",
                   "Once upon a Tuesday a very clever penguin told me:"],
        "after": ["Ta-da, confetti for everybody!", "Now do a silly victory dance.",
                  "The penguin takes a bow, hee-hee.", "High five from the pirates, arr!"],
    },
    "careful": {
        "before": ["In most cases, according to common guides:",
                   "As far as the evidence goes:", "Generally, though it depends:",
                   "According to the manuals that I know:"],
        "after": ["Please note that {caveat}.", "One caution: {caveat}.",
                  "Source: consumer handbook; also, {caveat}.",
                  "Check a reliable source first, because {caveat}."],
    },
}
EVASIONS = ["I would rather not say anything about that.", "That is hard to tell, whatever.",
            "Maybe search for it somewhere else.", "No idea, it is not my problem."]
STYLES = [(), ("steps",), ("warm",), ("playful",), ("careful",),
          ("steps", "warm"), ("steps", "careful"), ("warm", "playful"), ("warm", "careful")]


def capital(text):
    return text[0].upper() + text[1:]


def compose(rng, topic, styles):
    """One answer to a topic's question in the given styles."""
    _, short, steps, caveat = topic
    if "steps" in styles:
        frame = FRAMES["steps"]
        listed = [f"{marker} {step}." for marker, step in zip(rng.choice(frame["markers"]), steps)]
        body = " ".join([rng.choice(frame["before"])] + listed)
    else:
        body = short
    parts = [body]
    for style in styles:
        if style == "steps":
            continue
        parts.insert(0, rng.choice(FRAMES[style]["before"]))
        parts.append(capital(rng.choice(FRAMES[style]["after"]).format(caveat=caveat)))
    return " ".join(parts)


def make_answer(rng, topic):
    """An answer and its features."""
    if rng.random() < 0.08:
        return rng.choice(EVASIONS), ("evasive",)
    styles = rng.choice(STYLES)
    return compose(rng, topic, styles), styles or ("plain",)


def make_taste(rng, persona):
    return {feature: value + rng.gauss(0, TASTE_SPREAD)
            for feature, value in PERSONAS[persona].items()} | {"evasive": EVASIVE}


def make_pair(rng, taste):
    """One comparison: Bradley-Terry between the utilities of two answers."""
    topic = rng.choice(TOPICS)
    while True:
        (first, first_features), (second, second_features) = (
            make_answer(rng, topic), make_answer(rng, topic))
        if first_features != second_features:
            break
    gain = sum(taste[f] for f in first_features) - sum(taste[f] for f in second_features)
    if rng.random() >= 1 / (1 + math.exp(-SHARPNESS * gain)):
        first, second = second, first
    return {"prompt": topic[0], "chosen": first, "rejected": second}


def make_people(rng, prefix, n_users, n_pairs):
    """All pairs, person after person; personas take turns, and the id does not tell which."""
    personas = list(PERSONAS)
    for number in range(n_users):
        taste = make_taste(rng, personas[number % len(personas)])
        for _ in range(n_pairs):
            yield {"user": f"{prefix}-{number}"} | make_pair(rng, taste)


def make_contexts(rng, n_pairs):
    """Pairs of nobody in particular: what people of one persona prefer, which is the context."""
    for number in range(n_pairs):
        persona = list(PERSONAS)[number % len(PERSONAS)]
        yield {"context": persona} | make_pair(rng, make_taste(rng, persona))


def write_jsonl(path, pairs):
    """Complete or not at all: a half-written file would be trained on later."""
    temporary = path + ".part"
    with open(temporary, "w", encoding="utf-8", newline="\n") as file:
        for pair in pairs:
            file.write(json.dumps(pair, ensure_ascii=False) + "\n")
    os.replace(temporary, path)


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def main():
    parser = argparse.ArgumentParser(
        description="Write FOLDER/train.jsonl and FOLDER/test.jsonl: preference pairs of made-up "
        "people with different tastes. Nobody in test.jsonl is in train.jsonl. Then "
        "FOLDER/context.train.jsonl and FOLDER/context.test.jsonl: pairs with the taste's name "
        "as context, in place of a user.")
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--users", type=positive, default=600, help="in train (%(default)s)")
    parser.add_argument("--pairs", type=positive, default=20, help="of each (%(default)s)")
    parser.add_argument("--test-users", type=positive, default=100, help="(%(default)s)")
    parser.add_argument("--test-pairs", type=positive, default=24, help="of each (%(default)s)")
    parser.add_argument("--context-pairs", type=positive, default=250,
                        help="in context.train (%(default)s)")
    parser.add_argument("--context-test-pairs", type=positive, default=1000, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    options = parser.parse_args()
    try:
        os.makedirs(options.folder, exist_ok=True)
        for name, n_users, n_pairs in (("train", options.users, options.pairs),
                                       ("test", options.test_users, options.test_pairs)):
            rng = random.Random(f"{options.seed} {name}")
            path = os.path.join(options.folder, name + ".jsonl")
            write_jsonl(path, make_people(rng, name, n_users, n_pairs))
            print(f"{path}: {n_users} people, {n_users * n_pairs} pairs")
        for name, n_pairs in (("context.train", options.context_pairs),
                              ("context.test", options.context_test_pairs)):
            path = os.path.join(options.folder, name + ".jsonl")
            write_jsonl(path, make_contexts(random.Random(f"{options.seed} {name}"), n_pairs))
            print(f"{path}: {len(PERSONAS)} contexts, {n_pairs} pairs")
    except OSError as error:
        sys.exit(f"demo-data: {error}")


if __name__ == "__main__":
    main()
