"""OKX's error codes, sorted by what they prove about a request. Not listed proves nothing."""

from __future__ import annotations

# The request was turned away before it was looked at; the same request may be sent again.
RATE_LIMITED = frozenset({"50011", "50061"})
CLOCK_SKEWED = frozenset({"50102"})
# Our own deadline: refused on arrival, or lapsed inside.
EXPIRED = frozenset({"50036", "50037"})
NOT_PLACED = RATE_LIMITED | CLOCK_SKEWED | EXPIRED

# The key, the address or the person behind them: nothing sent with this key will work.
AUTH = (
    frozenset(str(code) for code in range(50100, 50115)) - CLOCK_SKEWED
) | {
    "50007", "50008", "50009", "50012", "50027", "50028", "50029", "50030", "50035",
    "50041", "50059", "50060", "50119", "50120", "50121",
}  # fmt: skip

# The name is taken: maybe by an earlier attempt of the same order, or by what it brought along.
DUPLICATE = frozenset({"51011", "51016", "51068"})
ALGO_DUPLICATE = frozenset({"51065", "51068"})
ORDER_NOT_FOUND = "51603"

# One of ours, wrongly built.
_BAD_REQUEST = frozenset(
    {"50000", "50002", "50006", "50014", "50015", "50016", "50024", "50025", "50115"}
)
# Frozen for liquidation or settlement, blocked instrument, region, account setting.
_NOT_NOW = frozenset(
    {
        *(str(code) for code in range(50017, 50024)),
        "50032", "50033", "50038", "50046", "50051", "50052", "50062", "50072", "50122",
    }
)  # fmt: skip
_ORDER_RANGES = (
    range(51001, 51004),
    range(51004, 51011),
    range(51014, 51016),
    range(51017, 51040),
    range(51041, 51054),
    range(51100, 51140),
    range(51201, 51214),
    range(51277, 51281),
    range(54005, 54008),
    range(54024, 54029),
)
_ORDER_REFUSED = frozenset(
    {
        *(str(code) for codes in _ORDER_RANGES for code in codes),
        "51012", "51066", "51072", "51073", "51074", "51087", "51147", "51148", "51150", "51155",
        "51159", "51162", "51163", "51165", "51166", "51168", "51169", "51170", "51174", "51180",
        "51185", "51186", "51187", "51196", "51197", "54000", "54009", "54011", "54012", "54018",
        "54019", "54030", "54031", "54035", "54036", "54072", "54073", "54075", "54092",
    }
) - {"51113"}  # fmt: skip
# Means a bad parameter, but may also name a client order id that is already taken.
PARAMETER_ERROR = "51000"

# Legs on the wrong side of the price, without a position, too many, or not for this order.
_LEGS_REFUSED = frozenset(
    {
        *(str(code) for code in range(51076, 51087)),
        *(str(code) for code in range(51088, 51100)),
        *(str(code) for code in range(51175, 51179)),
        *(str(code) for code in range(51300, 51309)),
        *(str(code) for code in range(51325, 51334)),
        "51058", "51250", "51252", "51260", "51261", "51275", "51276", "51299", "51317", "51415",
    }
) - {"51097"}  # fmt: skip
_CHANGE_REFUSED = frozenset(
    {
        "51003", "51063", "51075", "51171", "51214", "51407", "51408", "51500", "51501", "51502",
        "51503", "51514", "51532", "51536", "51537", "51538", "51539", "51543",
        *(str(code) for code in range(51505, 51513)),
        *(str(code) for code in range(51521, 51532)),
    }
)  # fmt: skip

PLACE_REFUSED = _BAD_REQUEST | _NOT_NOW | _ORDER_REFUSED | _LEGS_REFUSED
ALGO_REFUSED = PLACE_REFUSED
AMEND_REFUSED = PLACE_REFUSED | _CHANGE_REFUSED
# Too many amendments of one order under way: this one changed nothing, a later one may.
AMEND_NOT_PLACED = NOT_PLACED | {"51513"}
CANCEL_REFUSED = (
    _BAD_REQUEST
    | _NOT_NOW
    | {"51001", "51003", "51407", "51408"}
    | {"51400", "51401", "51402", "51403", "51404", "51405", "51410", "51413", "51416", "54048"}
)
COUNTDOWN_REFUSED = _BAD_REQUEST | {"51000", "51071"}
SETTING_REFUSED = (
    _BAD_REQUEST
    | _NOT_NOW
    | {"51000", "51001", "51010", "51039"}
    | {"59000", "59001", "59002", "59004"}
    | {str(code) for code in range(59101, 59115)}
    | {"59125", "59128", "59668", "59669", "59670"}
)
CLOSE_REFUSED = PLACE_REFUSED | {"51000", "51156", "51173", "51324"}
CLOSE_NOT_PLACED = NOT_PLACED | {"51113"}
