"""What creatives say, by category of the product. Brands are invented; so are prices and terms."""

from typing import NamedTuple


class Wording(NamedTuple):
    """Texts for one category, separated by `` | ``; ``{name}`` in a headline is the product's name."""

    headlines: str
    bodies: str
    buttons: str
    price: tuple[int, int]  # lowest and highest price in euros


def alternatives(texts: str) -> list[str]:
    """Return the texts that a field of :class:`Wording` offers."""
    return texts.split(" | ")


WORDINGS: dict[str, Wording] = {
    "food": Wording(
        "Fresh picks for your table | Taste the good season | Eat well every day | From the market to you | "
        "Big flavour, fair price | Treat the whole family",
        "Chosen by hand this morning and at your door by noon. | Good food needs no long list.",
        "Order now | Fill my basket | Find a store",
        (1, 15),
    ),
    "music": Wording(
        "Play it loud | Find your own sound | Made for the stage | Music starts at home | "
        "Your first gig is near | Tone you can feel",
        "Set up by our own workshop and ready to play. | Rent first, buy later: you decide.",
        "Try it out | Shop now | Book a lesson",
        (89, 1900),
    ),
    "photo": Wording(
        "See more, miss nothing | Bring it all closer | Keep the moment | A sharper view",
        "Checked, cleaned and sold with a full year of warranty. | Pack light and look twice.",
        "View details | Shop now",
        (59, 480),
    ),
    "health": Wording(
        "Care you can count on | Ready when it matters | Trusted by teams | Safety comes first",
        "Tested supplies for practice, station and home. | Next day delivery to any ward or depot.",
        "Request a quote | Stock up | Learn more",
        (3, 120),
    ),
    "toys": Wording(
        "Little joys, big smiles | Time to play | A friend for life | Made to be loved | Gifts that last",
        "Safe, sturdy and tested by the toughest critics: kids. | Wrapped for free and sent today.",
        "Add to cart | Give joy | Shop toys",
        (8, 75),
    ),
    "season": Wording(
        "Make the season bright | Home for the holidays | The magic starts here | Winter sale is on",
        "Everything for the best weeks of the year, under one roof. | Order early and save the rush.",
        "Shop the sale | Get ready | Order now",
        (4, 90),
    ),
    "home": Wording(
        "Small things, better home | Your home, your way | Made for every day | Simply well made | "
        "Upgrade your home",
        "Useful pieces that work hard and last for years. | Thirty days to change your mind.",
        "Shop home | See more | Buy now",
        (6, 240),
    ),
    "tools": Wording(
        "Built for real work | Get the job done | Tough by design | Do it right, once | Pro gear, fair price",
        "Forged, tested and backed by a ten year guarantee. | Pick up in store within the hour.",
        "Gear up | Shop now | Rent or buy",
        (9, 690),
    ),
    "garden": Wording(
        "Grow something good | Your garden awaits | Green up your day | Let it grow | Roots for years",
        "Strong plants and honest tools from our own nursery. | Ask our gardeners, any day of the week.",
        "Visit the nursery | Start growing | Shop garden",
        (7, 160),
    ),
    "flowers": Wording(
        "Say it in colour | Bloom where you are | Fresh from the field | A little joy today | "
        "Brighten any room",
        "Cut today and kept cool all the way to your vase. | Free card with every order.",
        "Send a smile | Order today | See bouquets",
        (5, 49),
    ),
    "vehicles": Wording(
        "Ready for the road | Drive your day | More miles, less cost | Take the wheel | "
        "Power when you need it",
        "Serviced, inspected and ready to leave the yard. | Lease from one month, no hidden fees.",
        "Test drive | Get a quote | See stock",
        (190, 29000),
    ),
    "travel": Wording(
        "Go further this year | Somewhere new awaits | Postcards to come | Start the big trip",
        "Small groups, local guides and time to look around. | Pay a little now and the rest later.",
        "Plan my trip | Book early | See dates",
        (49, 1200),
    ),
    "sports": Wording(
        "Own the game | Play your best | Train like you mean it | Game on | One more round",
        "Match quality for clubs, schools and back yards. | Team prices from ten pieces.",
        "Join the team | Shop sports | Gear up",
        (9, 130),
    ),
    "farm": Wording(
        "Straight from the farm | Meet the locals | Farm days are here | Good land, good life",
        "Open gates, fresh air and a picnic by the barn. | Bring the family, we bring the stories.",
        "Plan a visit | Find a farm | Book now",
        (5, 35),
    ),
    "pets": Wording(
        "Happy pets, happy home | Only the best for them | Meet the {name} | Spoil your buddy",
        "Vet approved food, bedding and toys at fair prices. | Join the club for free check-ups.",
        "Shop pet care | Join the club | Learn more",
        (6, 60),
    ),
    "wildlife": Wording(
        "Meet the {name} | Get closer to nature | A wild day out | Walk on the wild side | "
        "Protect what is wild | Your adventure waits",
        "Two hundred species, one park, and a day to remember. | Every ticket helps to protect a home.",
        "Get tickets | Visit us | Adopt today",
        (9, 45),
    ),
}
OFFERS = ("€{price}", "Only €{price}", "From €{price}", "Save {percent}%", "-{percent}%", "2 for €{price}")
BADGE_OFFERS = ("€{price}", "-{percent}%")
TERMS = (
    "Offer valid while stocks last. Prices include VAT.",
    "Terms apply. See store for details.",
    "Online only. Not valid with other offers.",
    "Limited to one per customer. Pictures may differ.",
    "Free delivery above €30. Returns within 30 days.",
)
BRAND_STARTS = (
    "Alder | Bram | Calo | Dorn | Elmo | Fenn | Galo | Harl | Isko | Jura | Kelm | Lorn | Mara | Nord | "
    "Oren | Pell | Quin | Rosk | Solv | Tarn | Ulma | Vero | Wend | Yara | Zell"
)
BRAND_ENDS = (  # some begin with a blank
    "vale | wick |  & Co. | mark | haus | ora | ory | ton | berg | field | ista | ova |  & Sons | lane"
)
