//! What a chip saves that launches at real month x, ramps linearly over R months and serves L months.
//!
//!     A(x) = ∫ₓᴴ v      B(x) = ∫ₓᴴ A      q = min(R, L)
//!     S(x) = (B(x) - B(x+q)) / R - (q/R) A(x+L);      R = 0: A(x) - A(x+L)
//!
//! v is the flow of savings, constant within a month, so that A is linear and B quadratic inside each. For launch at offset
//! f of month k, S is a quadratic in f with one bend where f + q passes a month's edge and one where f + L does: five numbers
//! a month, made once and read by every cell of the launch law.

use crate::market::HORIZON;
use crate::number::{Number, Positions};
use std::mem::MaybeUninit;

/// Months, their end, and one entry of zeros for everything beyond.
const ENTRIES: usize = HORIZON + 2;

/// A table over months. It stays where it was made, and what is made of it borrows it: to move it costs as much as to fill it.
pub type Months<N> = [<N as Number>::Slot; ENTRIES];

/// A table of zeros.
#[inline(always)]
pub fn months<N: Number>() -> Months<N> {
    [N::zero().save(); ENTRIES]
}

/// S within one month: value, slope, curvature / 2, and the two bends.
#[derive(Clone, Copy)]
pub struct Piece<S> {
    value: S,
    slope: S,
    curve: S,
    ramp_bend: S,
    life_bend: S,
}

/// Room for S of all months. To fill it with zeros first would cost as much as to make S.
pub type Pieces<N> = [MaybeUninit<Piece<<N as Number>::Slot>>; HORIZON];

#[inline(always)]
pub fn pieces<N: Number>() -> Pieces<N> {
    [const { MaybeUninit::uninit() }; HORIZON]
}

/// How launch months turn into savings.
#[derive(Clone, Copy)]
struct Service<N> {
    /// Whole months and rest of q = min(R, L) and of L.
    ramp_whole: Positions,
    ramp_rest: N,
    life_whole: Positions,
    life_rest: N,
    /// The rests less a month.
    ramp_over: N,
    life_over: N,
    /// Weights of B(x) - B(x+q), of A(x) and of A(x+L).
    by_ramp: N,
    at_once: N,
    at_end: N,
}

impl<N: Number> Service<N> {
    #[inline(always)]
    fn new(ramp_months: N, life_months: N) -> Self {
        let ramped = N::zero().lt(ramp_months);
        let ramp = N::select(ramped, ramp_months, N::one());
        let reached = ramp_months.min(life_months);
        Service {
            ramp_whole: reached.floor().positions(),
            ramp_rest: reached - reached.floor(),
            ramp_over: reached - reached.floor() - 1.0,
            life_whole: life_months.floor().positions(),
            life_rest: life_months - life_months.floor(),
            life_over: life_months - life_months.floor() - 1.0,
            by_ramp: N::select(ramped, N::one() / ramp, N::zero()),
            at_once: N::select(ramped, N::zero(), N::one()),
            at_end: N::select(ramped, reached / ramp, N::one()),
        }
    }
    /// How far a launch at `offset` of a month carries the ends of ramp and life into the month after.
    #[inline(always)]
    fn past(&self, offset: N) -> (N, N) {
        ((offset + self.ramp_over).positive_part(), (offset + self.life_over).positive_part())
    }
}

/// v, A and B at the beginning of a month.
#[derive(Clone, Copy)]
struct Flow<N> {
    v: N,
    a: N,
    b: N,
}

impl<N: Number> Flow<N> {
    #[inline(always)]
    fn none() -> Self {
        Flow { v: N::zero(), a: N::zero(), b: N::zero() }
    }
    /// The month before, with a flow of `v`.
    #[inline(always)]
    fn add(&mut self, v: N) {
        let later = self.a;
        self.v = v;
        self.a = later + v;
        self.b = self.b + (later + self.a) * 0.5;
    }
}

/// S(x) for every x up to the horizon.
pub struct Saving<'a, N: Number> {
    service: Service<N>,
    /// Whether ramp and life are whole months on all rows, so that nothing bends within one.
    straight: bool,
    /// Made from this month on.
    first: usize,
    pieces: &'a Pieces<N>,
}

impl<'a, N: Number> Saving<'a, N> {
    /// From the flow of each month, for launches from `first` on.
    #[inline(always)]
    pub fn new(pieces: &'a mut Pieces<N>, flow: &Months<N>, first: usize, ramp_months: N, life_months: N) -> Self {
        let service = Service::new(ramp_months, life_months);
        let (r, l) = (service.ramp_rest, service.life_rest);
        // From the horizon back: v, A and B of the month itself, of the one in which its ramp ends, and where its life does.
        let (mut now, mut ramped, mut retired) = (Flow::none(), Flow::none(), Flow::none());
        let mut k = HORIZON;
        while k > first {
            k -= 1;
            let (after_ramp, after_life) = (ramped.v, retired.v);
            now.add(N::restore(flow[k]));
            ramped.add(N::pick(
                flow,
                &service.ramp_whole,
                #[inline(always)]
                |whole| whole + k,
            ));
            retired.add(N::pick(
                flow,
                &service.life_whole,
                #[inline(always)]
                |whole| whole + k,
            ));
            pieces[k].write(Piece {
                // The difference is exactly 0 where the ramp takes less than a month.
                value: (service.by_ramp * ((now.b - ramped.b) + r * (ramped.a - r * ramped.v * 0.5))
                    + service.at_once * now.a
                    - service.at_end * (retired.a - l * retired.v))
                    .save(),
                slope: (service.by_ramp * (ramped.a - now.a - r * ramped.v) - service.at_once * now.v
                    + service.at_end * retired.v)
                    .save(),
                curve: (service.by_ramp * (now.v - ramped.v) * 0.5).save(),
                ramp_bend: (service.by_ramp * (ramped.v - after_ramp) * 0.5).save(),
                life_bend: (service.at_end * (after_life - retired.v)).save(),
            });
        }
        let straight = N::shortcut(service.ramp_rest.le(N::zero()) & service.life_rest.le(N::zero()));
        Saving { service, straight, first, pieces }
    }

    #[inline(always)]
    fn piece(&self, month: usize) -> &Piece<N::Slot> {
        assert!(self.first <= month && month < HORIZON, "a launch before the first");
        // SAFETY: `new` has written all from `first` to the horizon.
        unsafe { self.pieces[month].assume_init_ref() }
    }
    /// S at the beginning of `month`.
    ///
    /// # Panics
    /// As for `at`.
    #[inline(always)]
    pub fn at_beginning(&self, month: usize) -> N {
        N::restore(self.piece(month).value)
    }
    /// S at `offset` (0 to 1) of `month`.
    ///
    /// # Panics
    /// Before the first launch that S was made for, and beyond the horizon.
    #[inline(always)]
    pub fn at(&self, month: usize, offset: N) -> N {
        let piece = self.piece(month);
        let straight = N::restore(piece.value) + offset * (N::restore(piece.slope) + offset * N::restore(piece.curve));
        if self.straight {
            return straight;
        }
        let (past_ramp, past_life) = self.service.past(offset);
        straight + N::restore(piece.ramp_bend) * past_ramp * past_ramp + N::restore(piece.life_bend) * past_life
    }
}

/// Launches gathered by month: enough of them to know the expected share of capacity in service in every month.
pub struct Launches<N: Number> {
    service: Service<N>,
    mass: Months<N>,
    first: Months<N>,
    second: Months<N>,
    past_ramp: Months<N>,
    past_life: Months<N>,
}

impl<N: Number> Launches<N> {
    #[inline(always)]
    pub fn new(ramp_months: N, life_months: N) -> Self {
        Launches {
            service: Service::new(ramp_months, life_months),
            mass: months::<N>(),
            first: months::<N>(),
            second: months::<N>(),
            past_ramp: months::<N>(),
            past_life: months::<N>(),
        }
    }

    #[inline(always)]
    pub fn add(&mut self, month: usize, offset: N, mass: N) {
        let (past_ramp, past_life) = self.service.past(offset);
        self.mass[month] = (N::restore(self.mass[month]) + mass).save();
        self.first[month] = (N::restore(self.first[month]) + mass * offset).save();
        self.second[month] = (N::restore(self.second[month]) + mass * offset * offset).save();
        self.past_ramp[month] = (N::restore(self.past_ramp[month]) + mass * past_ramp * past_ramp).save();
        self.past_life[month] = (N::restore(self.past_life[month]) + mass * past_life).save();
    }

    /// Chance of a launch in `month`.
    #[inline(always)]
    pub fn mass(&self, month: usize) -> N {
        N::restore(self.mass[month])
    }

    /// Expected share of the chips that are out, ramped and not yet retired, month by month: the mean saving is its
    /// product with the flow. It is the transpose of `Saving`, which is linear in the flow.
    #[inline(always)]
    pub fn in_service(&self) -> Months<N> {
        let service = self.service;
        let (r, l) = (service.ramp_rest, service.life_rest);
        // What a launch does to the shares when its ramp ends, and when its life does, by the month of launch.
        let mut ramped = months::<N>();
        let mut retired = months::<N>();
        let (mut masses, mut ramps) = (N::zero(), N::zero());
        let (mut bent_ramp_before, mut bent_life_before) = (N::zero(), N::zero());
        let mut k = 0;
        while k < HORIZON {
            let (m0, m1, m2) = (N::restore(self.mass[k]), N::restore(self.first[k]), N::restore(self.second[k]));
            let (bent_ramp, bent_life) = (N::restore(self.past_ramp[k]), N::restore(self.past_life[k]));
            masses = masses + m0;
            ramps = ramps + (r * m0 + m1);
            let by_flow = r * r * m0 + r * m1 * 2.0 + m2 - (bent_ramp - bent_ramp_before);
            ramped[k] = (ramps - by_flow * 0.5).save();
            retired[k] = (l * m0 + m1 + (bent_life_before - bent_life) - masses).save();
            (bent_ramp_before, bent_life_before) = (bent_ramp, bent_life);
            k += 1;
        }
        // The same in the months in which they end.
        let mut ramped_mass = months::<N>();
        N::delay(&self.mass[..HORIZON], &service.ramp_whole, &mut ramped_mass[..HORIZON]);
        let mut ramp_ends = months::<N>();
        N::delay(&ramped[..HORIZON], &service.ramp_whole, &mut ramp_ends[..HORIZON]);
        let mut life_ends = months::<N>();
        N::delay(&retired[..HORIZON], &service.life_whole, &mut life_ends[..HORIZON]);

        let mut shares = months::<N>();
        let (mut masses, mut firsts) = (N::zero(), N::zero());
        // Launches whose ramp runs, and how long those before them have run.
        let (mut ramping, mut run) = (N::zero(), N::zero());
        let mut k = 0;
        while k < HORIZON {
            let (m0, m1, m2) = (N::restore(self.mass[k]), N::restore(self.first[k]), N::restore(self.second[k]));
            masses = masses + m0;
            firsts = firsts + m1;
            let begin = m0 - N::restore(ramped_mass[k]);
            run = run + ramping + begin * 0.5;
            ramping = ramping + begin;
            let by_ramp = run + (N::restore(ramp_ends[k]) - (firsts - m2 * 0.5));
            shares[k] = (service.by_ramp * by_ramp
                + service.at_once * (masses - m1)
                + service.at_end * N::restore(life_ends[k]))
            .save();
            k += 1;
        }
        shares
    }
}

/// When what is saved month by month has covered a cost: whole months and a part of the one in which it does.
pub struct Payback<N> {
    cost_usd: N,
    saved_usd: N,
    whole_months: N,
    /// What is lacking at the beginning of the last month looked at, and what is saved in it.
    lacks_usd: N,
    saves_usd: N,
    /// 1 once the cost is covered.
    covered: N,
}

impl<N: Number> Payback<N> {
    #[inline(always)]
    pub fn of(cost_usd: N) -> Self {
        let zero = N::zero();
        Payback { cost_usd, saved_usd: zero, whole_months: zero, lacks_usd: zero, saves_usd: N::one(), covered: zero }
    }
    #[inline(always)]
    pub fn add(&mut self, saves_usd: N) {
        let lacks_usd = self.cost_usd - self.saved_usd;
        let open = self.covered.eq(N::zero());
        self.lacks_usd = N::select(open, lacks_usd, self.lacks_usd);
        self.saves_usd = N::select(open, saves_usd, self.saves_usd);
        self.covered = N::select(lacks_usd.le(saves_usd) | lacks_usd.le(N::zero()), N::one(), self.covered);
        self.whole_months = self.whole_months + (-self.covered + 1.0);
        self.saved_usd = self.saved_usd + saves_usd;
    }
    /// `never` where the cost is not covered by what was added.
    #[inline(always)]
    pub fn months(&self, never: f64) -> N {
        let part = self.lacks_usd / N::select(N::zero().lt(self.saves_usd), self.saves_usd, N::one());
        let part = N::select(self.lacks_usd.le(N::zero()), N::zero(), part.min(N::one()));
        N::select(self.covered.eq(N::one()), self.whole_months + part, N::of(never))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flow of 1 a month through the horizon.
    fn steady() -> Months<f64> {
        std::array::from_fn(|k| if k < HORIZON { 1.0 } else { 0.0 })
    }

    #[test]
    fn a_steady_flow_by_hand() {
        // Launch at 10.25, life 30, no ramp: 30 months of flow. A ramp of 8 loses half of it: 26. At 100.25 the horizon
        // leaves 19.75, of which the ramp loses 4.
        let at = |ramp: f64, month: usize| Saving::new(&mut pieces::<f64>(), &steady(), 0, ramp, 30.0).at(month, 0.25);
        assert!((at(0.0, 10) - 30.0).abs() < 1e-12); // differences of sums up to 7000
        assert!((at(8.0, 10) - 26.0).abs() < 1e-11);
        assert!((at(8.0, 100) - 15.75).abs() < 1e-11);
    }

    #[test]
    fn a_payback_by_hand() {
        // 10 a month: 25 are covered half-way through the third. Nothing to cover is covered at once.
        let months = |cost: f64| {
            let mut payback = Payback::of(cost);
            (0..4).for_each(|_| payback.add(10.0));
            payback.months(f64::INFINITY)
        };
        assert_eq!([25.0, 40.0, 0.0, -5.0].map(months), [2.5, 4.0, 0.0, 0.0]);
        assert!(months(41.0).is_infinite());
    }

    #[test]
    fn shares_in_service_are_the_transpose_of_the_saving() {
        let flow: Months<f64> = std::array::from_fn(|k| {
            if k < HORIZON { 1.0 + f64::from(u8::try_from(k * k % 37).expect("small")) } else { 0.0 }
        });
        for (ramp, life) in [(0.0, 24.5), (6.3, 30.7), (12.0, 36.0), (40.2, 10.1)] {
            let mut pieces = pieces::<f64>();
            let saving = Saving::new(&mut pieces, &flow, 0, ramp, life);
            for (month, offset) in [(0, 0.0), (5, 0.4), (60, 0.9), (117, 0.2)] {
                let mut launches = Launches::new(ramp, life);
                launches.add(month, offset, 1.0);
                let by_share: f64 = launches.in_service().iter().zip(&flow).map(|(share, flow)| share * flow).sum();
                let direct = saving.at(month, offset);
                assert!((by_share - direct).abs() < 1e-9, "{ramp} {life} {month}: {by_share}, {direct}"); // sums up to 1e5
            }
        }
    }
}
