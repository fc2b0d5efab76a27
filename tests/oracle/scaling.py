"""The loss of a model, the size that is cheapest over training and inference, and what it saves, in 50 digits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row

# Irreducible loss, coefficients of parameters and tokens, their exponents.
FITS = {
    "hoffmann": ("1.69", "406.4", "410.7", "0.34", "0.28"),  # arXiv 2203.15556, equation 10
    "sardana": ("1.69", "406.4", "410.7", "0.336", "0.283"),  # arXiv 2401.00448
    "besiroglu": ("1.8172", "482.01", "2085.43", "0.3478", "0.3658"),  # arXiv 2404.10102 and its notebook
}
NUMBERS = (
    "scaling_irreducible_loss",
    "scaling_params_coefficient",
    "scaling_tokens_coefficient",
    "scaling_params_exponent",
    "scaling_tokens_exponent",
)


@dataclass(frozen=True)
class Law:
    """L(N, D) = E + A / N^a + B / D^b. Source: Hoffmann et al. 2022, arXiv 2203.15556, approach 3."""

    a_coefficient: Any
    b_coefficient: Any
    a: Any
    b: Any

    def params_loss(self, params: Any) -> Any:
        """A / N^a."""
        return mp.inf if params == 0 else self.a_coefficient * params**-self.a

    def tokens_loss(self, tokens: Any) -> Any:
        """B / D^b."""
        return mp.inf if tokens == 0 else self.b_coefficient * tokens**-self.b

    def params(self, loss: Any) -> Any:
        """N that leaves this loss."""
        return (self.a_coefficient / loss) ** (1 / self.a)

    def tokens(self, loss: Any) -> Any:
        """D that leaves this loss."""
        return (self.b_coefficient / loss) ** (1 / self.b)


def law_of(lines: Lines) -> Law:
    """The law's numbers as the row has them."""
    return Law(*(lines[name] for name in NUMBERS[1:]))


def root(function: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """The root between two values of different sign, to the working precision."""
    if low == high:
        return low
    return mp.findroot(function, (low, high), solver="anderson", tol=mpf(10) ** (-2 * DIGITS + 10), maxsteps=400)


def cheapest_by_product(law: Law, product: Any, inference_tokens: Any) -> Any:
    """N at given N D of the size that no other trains and serves more cheaply at its own loss.

    Lagrange: (6 D + 2 T) / (6 N) = (dL/dN) / (dL/dD), so a A N^-a = b B D^-b (1 + T / (3 D)). Source: Sardana and
    Frankle 2023, arXiv 2401.00448, equation 4, there at a given loss; T = 0 is Hoffmann et al. 2022, equation 4.
    """

    def lead(log_params: Any) -> Any:
        tokens = product / mp.exp(log_params)
        left = mp.log(law.a * law.a_coefficient) - law.a * log_params
        return (
            left - mp.log(law.b * law.b_coefficient) + law.b * mp.log(tokens) - mp.log1p(inference_tokens / 3 / tokens)
        )

    ratio = law.a * law.a_coefficient / (law.b * law.b_coefficient)
    optimum = ratio ** (1 / (law.a + law.b)) * product ** (law.b / (law.a + law.b))
    if inference_tokens == 0:
        return optimum
    high = mp.log(optimum)
    return mp.exp(root(lead, high + lead(high) / (law.a + law.b), high))


def cheapest_by_loss(law: Law, gap: Any, inference_tokens: Any) -> Any:
    """N of min 6 N D + 2 N T where A / N^a + B / D^b = gap. Source: Sardana and Frankle 2023, arXiv 2401.00448."""

    def slope(odds_log: Any) -> Any:
        tokens_part = 1 / (1 + mp.exp(odds_log))
        tokens = law.tokens(gap * tokens_part)
        return mp.log(law.a / law.b) + odds_log - mp.log1p(inference_tokens / 3 / tokens)

    low = mp.log(law.b / law.a)
    odds = mp.exp(low if inference_tokens == 0 else root(slope, low, low - slope(low)))
    return law.params(gap * odds / (1 + odds))


def coefficients(row: Row) -> Result:
    """The five numbers of a fit. Sources: see FITS."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        fit = FITS[lines.text("scaling_law")]
        for name, value in zip(NUMBERS, fit, strict=True):
            lines.line(name, lambda value=value: mpf(float(value)))  # type: ignore[misc]
        return lines.result()


def prices(row: Row) -> Result:
    """Weight of an operation of inference: the mean of reading and writing over training. Source: definition."""
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def weight() -> Any:
            share, paid = lines["inference_prefill_share"], lines["scaling_train_usd_per_flop"]
            mean = share * lines["scaling_prefill_usd_per_flop"] + (1 - share) * lines["scaling_decode_usd_per_flop"]
            return None if paid == 0 else mean / paid

        lines.line("scaling_inference_weight", weight, lambda: abs(weight() or 0))
        return lines.result()


def by_flop(row: Row) -> Result:
    """Size from operations: C = 6 N D. A stated size or a stated amount of data stays.

    A model of stated active parameters has nobody knows how many in all; of others they are one number.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)
        flop, active, params, tokens = (
            None if row.get(name) is None else mpf(row[name])
            for name in ("train_flop", "llm_active_params", "llm_params", "train_tokens")
        )
        assert flop is not None

        def size() -> Any:
            if active is not None or params is not None:
                return params if active is None else active
            if flop == 0:
                return mpf(0)
            if tokens is not None:
                return mp.inf if tokens == 0 else flop / 6 / tokens
            served = lines["inference_tokens"] * lines["scaling_inference_weight"]
            return cheapest_by_product(law_of(lines), flop / 6, served)

        found = size()
        lines.line("llm_active_params", lambda: found)
        lines.line("llm_params", lambda: found if active is None else None)

        def data() -> Any:
            used = lines["llm_active_params"]
            return mpf(0) if flop == 0 else mp.inf if used == 0 else flop / 6 / used

        lines.line("train_tokens", data)
        return lines.result()


def data_at_loss(law: Law, gap: Any, params: Any) -> tuple[Any, Any]:
    """D that leaves the rest of the gap, None where there is none, and its scale: the rest is a difference."""
    if params is None or params == 0:
        return None, mpf(1)
    left = gap - law.params_loss(params)
    if left <= 0:
        return None, mpf(1)
    tokens = law.tokens(left)
    return tokens, tokens * (1 + (abs(gap) + law.params_loss(params)) / left / law.b)


def by_loss(row: Row) -> Result:
    """Size from the loss. A stated size or a stated amount of data stays."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        law = law_of(lines)
        gap = lines["scaling_target_loss"] - lines["scaling_irreducible_loss"]
        active, params, tokens = (
            None if row.get(name) is None else mpf(row[name])
            for name in ("llm_active_params", "llm_params", "train_tokens")
        )
        left = gap if tokens is None else gap - law.tokens_loss(tokens)
        status = "ok" if left > 0 else "too_few_tokens" if gap > 0 else "loss_below_floor"
        found, scale = None, mpf(1)
        if status == "ok":
            if active is not None or params is not None:
                found = params if active is None else active
            elif tokens is not None:
                found = law.params(left)
            else:
                served = lines["inference_tokens"] * lines["scaling_inference_weight"]
                found = cheapest_by_loss(law, gap, served)
            scale = found
            if active is None and params is None and tokens is not None:
                scale = found * (1 + (gap + law.tokens_loss(tokens)) / left / law.a)
        lines.line("llm_active_params", lambda: found, lambda: scale)
        lines.line("llm_params", lambda: found if active is None else None, lambda: scale)
        used = lines.values["llm_active_params"]
        data, data_scale = data_at_loss(law, gap, used)
        lines.line("train_tokens", lambda: data, lambda: data_scale)
        out = lines.result()
        out["scaling_status"] = status
        return out


def tokens_by_flop(row: Row) -> Result:
    """D = C / (6 N). Source: Kaplan et al. 2020, arXiv 2001.08361."""
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def data() -> Any:
            flop, params = lines["train_flop"], lines["llm_active_params"]
            return mpf(0) if flop == 0 else mp.inf if params == 0 else flop / 6 / params

        lines.line("train_tokens", data)
        return lines.result()


def tokens_by_loss(row: Row) -> Result:
    """D = (B / (L - E - A / N^a))^(1/b). Source: Hoffmann et al. 2022, solved for D."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        gap = lines["scaling_target_loss"] - lines["scaling_irreducible_loss"]
        data, scale = data_at_loss(law_of(lines), gap, lines["llm_active_params"])
        lines.line("train_tokens", lambda: data, lambda: scale)
        out = lines.result()
        out["train_tokens_status"] = "too_few_params" if data is None else "ok"
        return out


def evaluate(row: Row) -> Result:
    """Loss, lifetime and saving of a model of given size and data.

    Sources: the law, Hoffmann et al. 2022, with its compute optimum a A N^-a = b B D^-b; 6 N D + 2 N T and the saving
    against the compute-optimal model of equal loss, Sardana and Frankle 2023, figure 1.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)
        law = law_of(lines)
        params, tokens, served = (lines[name] for name in ("llm_active_params", "train_tokens", "inference_tokens"))
        weighted = served * lines["scaling_inference_weight"]
        floor = lines["scaling_irreducible_loss"]
        learned = law.params_loss(params) + law.tokens_loss(tokens)
        lines.line("scaling_loss", lambda: floor + learned)
        gap = learned if row.get("scaling_loss") is None else lines["scaling_loss"] - floor
        known = 0 < gap < mp.inf

        def per_param() -> Any:
            return tokens / params if params else mp.inf if tokens else None

        def flop(params: Any, tokens: Any, served: Any) -> Any:
            return 6 * params * tokens + 2 * params * served

        lines.line("scaling_tokens_per_param", per_param, lambda: mpf(1))
        lines.line("scaling_lifetime_flop", lambda: flop(params, tokens, served))
        best = law.params(gap * law.b / (law.a + law.b)) if known else mpf(1)
        best_tokens = law.tokens(gap * law.a / (law.a + law.b)) if known else mpf(1)
        best_flop = flop(best, best_tokens, served)
        lines.line(
            "scaling_saving_flop",
            lambda: best_flop - lines["scaling_lifetime_flop"] if known else None,
            lambda: best_flop + lines["scaling_lifetime_flop"],
        )
        ratio = flop(params, tokens, weighted) / flop(best, best_tokens, weighted) if known else mpf(0)
        lines.line("scaling_saving_share", lambda: 1 - ratio if known else None, lambda: 1 + ratio)

        weight = lines["scaling_inference_weight"]
        excess = law.params_loss(params) / (gap * law.b / (law.a + law.b)) - 1 if known else mpf(0)

        def breakeven() -> Any:
            if not known:
                return None
            if excess <= 0:
                return mpf(0) if excess > mpf(-1e-12) else mp.inf
            extra = 3 * (params * tokens - best * best_tokens) / (best - params)
            return max(extra, mpf(0)) if extra <= 0 or not weight else extra / weight

        lines.line(
            "scaling_breakeven_inference_tokens",
            lambda: mp.inf if known and excess > 0 and not weight else breakeven(),
            lambda: 30 * (tokens + best_tokens) / (weight or 1),
        )
        lines.line("scaling_lifetime_usd", lambda: lines["scaling_train_usd_per_flop"] * flop(params, tokens, weighted))
        out = lines.result()
        if known and abs(excess) <= 2e-12:  # rounding decides on which side of the optimum
            out["_range"]["scaling_breakeven_inference_tokens"] = (0.0, float("inf"))
        return out
