//! One declaration per variable. From it come the model's structs, validation, error texts, `variables()` and the docs.

use crate::kernel::Call;
use crate::number::Number;
use fearless_simd::Level;
use std::cell::RefCell;

/// Money and counts end here: far beyond any economy, near enough that no product of a few overflows.
pub const HUGE: f64 = 1e18;
pub const INFINITE: f64 = f64::INFINITY;
/// No default: the caller, the catalog or a model must give the value.
pub const NONE: f64 = f64::NAN;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    /// A number without a fraction.
    Integer,
    /// Days since 1970-01-01.
    Date,
    /// One of `Variable::choices`, by its position.
    Choice,
    /// A choice of false and true.
    Boolean,
    /// The name of a catalog entry.
    Key,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Input,
    Output,
    /// An output nothing lies downstream of: it may be asked for but not given.
    Summary,
    Key,
}

/// Where a declared number or bound comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    Measured,
    ListPrice,
    VendorClaim,
    Leak,
    Estimate,
    Judgement,
    Definition,
}

impl Basis {
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Basis::Measured => "measured",
            Basis::ListPrice => "list price",
            Basis::VendorClaim => "vendor claim",
            Basis::Leak => "leak",
            Basis::Estimate => "estimate",
            Basis::Judgement => "judgement",
            Basis::Definition => "definition",
        }
    }
}

/// What is known of one quantity. Bounds are what equation and physics allow; `typical` is what sweeps range over.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    pub name: &'static str,
    pub kind: Kind,
    pub role: Role,
    pub unit: &'static str,
    pub low: f64,
    pub high: f64,
    /// NaN where there is none.
    pub default: f64,
    pub typical: (f64, f64),
    pub meaning: &'static str,
    pub source: &'static str,
    pub basis: Basis,
    pub choices: &'static [&'static str],
}

impl Variable {
    /// An output that falls back on a default where it can't be computed.
    #[must_use]
    pub const fn with_default(mut self, default: f64, source: &'static str) -> Variable {
        self.default = default;
        self.source = source;
        self
    }

    /// An output that a caller may well know without the model that computes it.
    #[must_use]
    pub const fn known_by_itself(mut self, typical: (f64, f64), basis: Basis, source: &'static str) -> Variable {
        self.typical = typical;
        self.basis = basis;
        self.source = source;
        self
    }

    /// Whether a value may stand for this variable.
    #[must_use]
    pub fn allows(&self, x: f64) -> bool {
        self.low <= x && x <= self.high && (self.kind == Kind::Number || x.fract() == 0.0 || x.is_infinite())
    }

    /// A value within bounds for rows whose own can't be used; their outputs are masked.
    #[must_use]
    pub fn safe_value(&self) -> f64 {
        if !self.default.is_nan() {
            self.default
        } else if self.low <= 1.0 && 1.0 <= self.high {
            1.0
        } else {
            self.low
        }
    }

    /// What a value must be, in words.
    #[must_use]
    pub fn rule(&self) -> String {
        let unit = if self.unit == "1" { String::new() } else { format!(" {}", self.unit) };
        let whole = if self.kind == Kind::Integer { "a whole number, " } else { "" };
        if self.high.is_infinite() {
            format!("{whole}{}{unit} or more (infinite allowed)", self.low)
        } else {
            format!("{whole}{} to {}{unit}", self.low, self.high)
        }
    }
}

/// A choice variable's type: its values by position.
pub trait Choice: Copy {
    const NAMES: &'static [&'static str];
    const KIND: Kind;
    fn from_code(code: u8) -> Self;
    fn code(self) -> u8;
}

impl Choice for bool {
    const NAMES: &'static [&'static str] = &["false", "true"];
    const KIND: Kind = Kind::Boolean;
    fn from_code(code: u8) -> bool {
        code != 0
    }
    fn code(self) -> u8 {
        u8::from(self)
    }
}

/// `choices!(YieldModel { Poisson "poisson", ... })` makes the type of a choice variable.
macro_rules! choices {
    ($(#[doc = $about:literal])+ $name:ident { $($value:ident $text:literal),+ $(,)? }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($value),+ }
        impl $crate::variable::Choice for $name {
            const NAMES: &'static [&'static str] = &[$($text),+];
            const KIND: $crate::variable::Kind = $crate::variable::Kind::Choice;
            fn from_code(code: u8) -> Self {
                const ALL: &[$name] = &[$($name::$value),+];
                ALL[usize::from(code)]
            }
            fn code(self) -> u8 { self as u8 }
        }
        impl $name {
            /// The position of this value, as a number a model can put out.
            #[inline(always)]
            pub fn number<N: $crate::number::Number>(self) -> N { N::of(f64::from(self as u8)) }
        }
    };
}
pub(crate) use choices;

/// What the engine needs of a model; `model!` writes every item of it.
pub trait Model: 'static {
    const NAME: &'static str;
    /// The path of its file, and the file's text up to its tests.
    const FILE: &'static str;
    const PAGE: &'static str;
    /// The body of `equations` as text, after its names for the inputs and for what is given.
    const BODY: [&'static str; 3];
    const ABOUT: &'static [&'static str];
    /// Declared here: numbers, then choices.
    const OWNED: &'static [Variable];
    /// Names of the numbers it reads, own and others', in the order `load` asks for them.
    const INPUTS: &'static [&'static str];
    const CHOICES: &'static [&'static str];
    const OUTPUTS: &'static [Variable];
    /// Weighted sums of inputs: rows alike in them run together, because their loops then end together.
    const TOGETHER: &'static [&'static [(&'static str, f64)]];
    type Inputs<N: Number>;
    type Given<N: Number>;
    type Outputs<N: Number>;
    /// What one run leaves to the next: nothing or, of a monthly model, the outputs of every month.
    type Path<N: Number>;
    /// Of a monthly model, which input is the month.
    const MONTH: Option<usize>;
    fn load<N: Number>(number: impl Fn(usize) -> N, choices: &[u8]) -> Self::Inputs<N>;
    fn load_given<N: Number>(given: impl Fn(usize) -> Option<N>, wanted: u64) -> Self::Given<N>;
    fn store<N: Number>(outputs: Self::Outputs<N>, put: impl FnMut(usize, N));
    fn path<N: Number>() -> Self::Path<N>;
    /// `stands`: the path is that of these inputs, whatever the month.
    fn answer<N: Number>(
        inputs: Self::Inputs<N>,
        given: Self::Given<N>,
        path: &mut Self::Path<N>,
        stands: bool,
    ) -> Self::Outputs<N>;
    #[inline(always)]
    fn equations<N: Number>(inputs: Self::Inputs<N>, given: Self::Given<N>) -> Self::Outputs<N> {
        Self::answer(inputs, given, &mut Self::path(), false)
    }
    /// The equations over a block, on the instruction set of `level`.
    fn run(level: Level, call: &Call);
    /// The equations in dual numbers, see `gradient::run`.
    fn run_dual(values: &Call, derivatives: &Call, rows: usize);
}

/// What an output reads, as bits of inputs (low) and outputs (from `INPUTS.len()` on).
#[derive(Clone, Copy)]
pub struct Reads {
    /// Inputs and given outputs, through everything on the way.
    pub all: u128,
    /// What its own line of algebra reads: inputs and other outputs, given or not.
    pub line: u128,
}

/// What each output reads.
#[must_use]
pub fn needs<M: Model>(given: u64, choices: &[u8]) -> Vec<Reads> {
    use crate::number::Needs;
    let inputs = M::INPUTS.len();
    let found = RefCell::new(vec![Reads { all: 0, line: 0 }; M::OUTPUTS.len()]);
    let x = M::load(Needs::of_place, choices);
    let g = M::load_given(|k| (given >> k & 1 == 1).then_some(Needs::of_place(inputs + k)), u64::MAX);
    M::store(M::equations(x, g), |k, needs| {
        let line = if needs.line == 1 << (inputs + k) { needs.unnamed } else { needs.line };
        found.borrow_mut()[k] = Reads { all: needs.all, line };
    });
    found.into_inner()
}

/// Declares a model: its variables and its equations.
///
/// `number`, `integer` and `date` inputs: unit, bounds, default, typical range, basis and source. `choices`: type,
/// default, source. `reads`: variables other models declare; a list that several models share comes first, as in `reads
/// { kernels! llm_layers }`. `together`: what decides how long a row's loops run. `outputs` and `summaries`: unit and
/// bounds; an output that a caller may well know by itself has a typical range with its source too. `statuses`: why an
/// output is null or infinite. Inside `equations(x, given)`, `x.name` is an input, `given.name(expression)` the
/// caller's value of an output where there is one, else the expression, and `given.wanted.name` whether anybody asks
/// for it.
///
/// A monthly model reads `month`, has `equations(x, given, path)` and leaves every output of every month in
/// `path.name[month]`: rows that differ in nothing but the month then share a run. Its outputs are summaries, for one month
/// alone can't be given.
macro_rules! model {
    // `reads { list! … }`: what several models read, from a macro that hands its names to another.
    (
        $(#[doc = $about:literal])+
        $model:ident = $name:literal;
        inputs { $($inputs:tt)* }
        choices { $($choices:tt)* }
        reads { $list:ident! $($read:tt)* }
        $($rest:tt)*
    ) => {
        $list! {
            [$crate::variable::model_reading]
            [$(#[doc = $about])+ $model = $name; inputs { $($inputs)* } choices { $($choices)* }]
            [$($read)*]
            [$($rest)*]
        }
    };
    (
        $(#[doc = $about:literal])+
        $model:ident = $name:literal;
        inputs { $( #[doc = $doc:literal] $input:ident: $kind:ident $unit:literal [$low:expr, $high:expr], default $default:expr, typical [$from:expr, $to:expr], $basis:ident $source:literal; )* }
        choices { $( #[doc = $cdoc:literal] $choice:ident: $ctype:ty = $cdefault:expr, $csource:literal; )* }
        reads { $( $read:ident )* }
        $( together { $( $( $key:ident * $weight:literal )+ );+ } )?
        outputs { $( #[doc = $odoc:literal] $output:ident: $ounit:literal [$olow:expr, $ohigh:expr] $(, typical [$ofrom:expr, $oto:expr], $obasis:ident $oknown:literal)? $(, default $odefault:expr, $osource:literal)?; )* }
        summaries { $( #[doc = $sdoc:literal] $summary:ident: $sunit:literal [$slow:expr, $shigh:expr]; )* }
        statuses { $( #[doc = $tdoc:literal] $status:ident: $ttype:ty; )* }
        equations($x:ident, $given:ident $(, $path:ident)?) $body:block
    ) => {
        $(#[doc = $about])+
        pub struct $model;
        $crate::kernel::compiled!($model);
        #[derive(Clone, Copy)]
        pub struct Inputs<N> {
            $( #[doc = $doc] pub $input: N, )*
            $( pub $read: N, )*
            $( #[doc = $cdoc] pub $choice: $ctype, )*
            pub marker: std::marker::PhantomData<N>,
        }
        #[derive(Clone, Copy)]
        pub struct Outputs<N> {
            $( #[doc = $odoc] pub $output: N, )*
            $( #[doc = $sdoc] pub $summary: N, )*
            $( #[doc = $tdoc] pub $status: N, )*
        }
        /// Which outputs anybody asks for.
        #[derive(Clone, Copy)]
        pub struct Wanted { $( pub $output: bool, )* $( pub $summary: bool, )* $( pub $status: bool, )* }
        /// What the caller gives of the outputs.
        #[derive(Clone, Copy)]
        pub struct Given<N> {
            $( pub $output: Option<N>, )*
            pub wanted: Wanted,
            pub marker: std::marker::PhantomData<N>,
        }
        /// The outputs' places.
        #[allow(non_camel_case_types, dead_code, reason = "a place has its output's name, and a model may ask for none")]
        enum Place { $( $output, )* }
        #[allow(dead_code, reason = "a model may read a given output as a field instead")]
        impl<N: $crate::number::Number> Given<N> {
            $( #[inline(always)]
            pub fn $output(self, computed: N) -> N {
                match self.$output {
                    Some(value) => value,
                    None => computed.named(<$model as $crate::variable::Model>::INPUTS.len() + Place::$output as usize),
                }
            } )*
        }
        #[allow(unused_assignments, unused_mut, unused_variables, reason = "a model may have none of a kind")]
        impl $crate::variable::Model for $model {
            const NAME: &'static str = $name;
            const FILE: &'static str = file!();
            const PAGE: &'static str = $crate::algebra::page!(concat!(env!("CARGO_MANIFEST_DIR"), "/", file!()));
            const BODY: [&'static str; 3] = [stringify!($x), stringify!($given), stringify!($body)];
            const ABOUT: &'static [&'static str] = &[$($about),+];
            const OWNED: &'static [$crate::variable::Variable] = &[
                $( $crate::variable::Variable {
                    name: stringify!($input), kind: $crate::variable::kind!($kind), role: $crate::variable::Role::Input,
                    unit: $unit, low: $low, high: $high, default: $default, typical: ($from, $to), meaning: $doc.trim_ascii(),
                    source: $source, basis: $crate::variable::Basis::$basis, choices: &[],
                }, )*
                $( $crate::variable::Variable {
                    name: stringify!($choice), kind: <$ctype as $crate::variable::Choice>::KIND,
                    role: $crate::variable::Role::Input, unit: "1", low: 0.0,
                    high: (<$ctype as $crate::variable::Choice>::NAMES.len() - 1) as f64, default: $cdefault as u8 as f64,
                    typical: ($crate::variable::NONE, $crate::variable::NONE), meaning: $cdoc.trim_ascii(), source: $csource,
                    basis: $crate::variable::Basis::Definition, choices: <$ctype as $crate::variable::Choice>::NAMES,
                }, )*
            ];
            const INPUTS: &'static [&'static str] = &[$(stringify!($input),)* $(stringify!($read),)*];
            const CHOICES: &'static [&'static str] = &[$(stringify!($choice),)*];
            const OUTPUTS: &'static [$crate::variable::Variable] = &[
                $( $crate::variable::output($crate::variable::Role::Output, stringify!($output), $ounit, $olow, $ohigh, $odoc, &[])
                    .with_default([$($odefault,)? $crate::variable::NONE][0], [$($osource,)? "computed"][0])
                    $( .known_by_itself(($ofrom, $oto), $crate::variable::Basis::$obasis, $oknown) )?, )*
                $( $crate::variable::output($crate::variable::Role::Summary, stringify!($summary), $sunit, $slow, $shigh, $sdoc, &[]), )*
                $( $crate::variable::output($crate::variable::Role::Summary, stringify!($status), "1", 0.0,
                    (<$ttype as $crate::variable::Choice>::NAMES.len() - 1) as f64, $tdoc, <$ttype as $crate::variable::Choice>::NAMES), )*
            ];
            const TOGETHER: &'static [&'static [(&'static str, f64)]] = &[$( $( &[$( (stringify!($key), $weight) ),+] ),+ )?];
            type Inputs<N: $crate::number::Number> = Inputs<N>;
            type Given<N: $crate::number::Number> = Given<N>;
            type Outputs<N: $crate::number::Number> = Outputs<N>;
            #[inline(always)]
            fn load<N: $crate::number::Number>(number: impl Fn(usize) -> N, choices: &[u8]) -> Inputs<N> {
                let mut k = 0;
                let mut c = 0;
                Inputs {
                    $( $input: { k += 1; number(k - 1) }, )*
                    $( $read: { k += 1; number(k - 1) }, )*
                    $( $choice: { c += 1; <$ctype as $crate::variable::Choice>::from_code(choices[c - 1]) }, )*
                    marker: std::marker::PhantomData,
                }
            }
            #[inline(always)]
            fn load_given<N: $crate::number::Number>(given: impl Fn(usize) -> Option<N>, wanted: u64) -> Given<N> {
                let mut k = 0;
                let mut w = 0;
                Given {
                    $( $output: { k += 1; given(k - 1) }, )*
                    wanted: Wanted {
                        $( $output: { w += 1; wanted >> (w - 1) & 1 == 1 }, )*
                        $( $summary: { w += 1; wanted >> (w - 1) & 1 == 1 }, )*
                        $( $status: { w += 1; wanted >> (w - 1) & 1 == 1 }, )*
                    },
                    marker: std::marker::PhantomData,
                }
            }
            #[inline(always)]
            fn store<N: $crate::number::Number>(outputs: Outputs<N>, mut put: impl FnMut(usize, N)) {
                let mut k = 0;
                $( put(k, outputs.$output); k += 1; )*
                $( put(k, outputs.$summary); k += 1; )*
                $( put(k, outputs.$status); k += 1; )*
            }
            $crate::variable::answers!(($x, $given $(, $path)?) $body [$($output)*] [$($summary)* $($status)*]);
            fn run(level: fearless_simd::Level, call: &$crate::kernel::Call) {
                run(level, call);
            }
            fn run_dual(values: &$crate::kernel::Call, derivatives: &$crate::kernel::Call, rows: usize) {
                $crate::gradient::run::<$model>(values, derivatives, rows);
            }
        }
    };
}
pub(crate) use model;

/// The model with the names of a list among those it reads.
macro_rules! model_reading {
    ([$($name:ident)*] [$($before:tt)*] [$($read:tt)*] [$($after:tt)*]) => {
        $crate::variable::model! { $($before)* reads { $($read)* $($name)* } $($after)* }
    };
}
pub(crate) use model_reading;

/// How a model answers: by its equations or, where they have a path, by the row's month of it.
macro_rules! answers {
    (($x:ident, $given:ident) $body:block [$($output:ident)*] [$($summary:ident)*]) => {
        type Path<N: $crate::number::Number> = ();
        const MONTH: Option<usize> = None;
        #[inline(always)]
        fn path<N: $crate::number::Number>() {}
        #[inline(always)]
        fn answer<N: $crate::number::Number>($x: Inputs<N>, $given: Given<N>, (): &mut (), _: bool) -> Outputs<N> {
            #[allow(unused_imports, reason = "a body may call no trait method")]
            use $crate::number::Number;
            $body
        }
    };
    (($x:ident, $given:ident, $path:ident) $body:block [] [$($output:ident)*]) => {
        type Path<N: $crate::number::Number> = Outputs<$crate::saving::Months<N>>;
        const MONTH: Option<usize> = Some($crate::variable::position(Self::INPUTS, "month"));
        #[inline(always)]
        fn path<N: $crate::number::Number>() -> Self::Path<N> {
            Outputs { $( $output: $crate::saving::months::<N>() ),* }
        }
        #[inline(always)]
        fn answer<N: $crate::number::Number>(
            $x: Inputs<N>,
            $given: Given<N>,
            $path: &mut Self::Path<N>,
            stands: bool,
        ) -> Outputs<N> {
            #[allow(unused_imports, reason = "the surroundings may have it")]
            use $crate::number::Number;
            if !stands {
                $body
            }
            let months = $x.month.positions();
            // The tracer sees the month by its comparison.
            let there = $x.month.eq($x.month);
            Outputs { $( $output: {
                let value = N::pick(&$path.$output, &months, #[inline(always)] |month| month);
                N::select(there, value, value)
            } ),* }
        }
    };
}
pub(crate) use answers;

/// Where a name stands in a list.
#[must_use]
pub const fn position(names: &[&str], name: &str) -> usize {
    let mut k = 0;
    loop {
        // Beyond the end of the list: a monthly model that does not read the month does not compile.
        if same(names[k], name) {
            return k;
        }
        k += 1;
    }
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut k = 0;
    while k < a.len() && k < b.len() && a[k] == b[k] {
        k += 1;
    }
    k == a.len() && k == b.len()
}

macro_rules! kind {
    (number) => {
        $crate::variable::Kind::Number
    };
    (integer) => {
        $crate::variable::Kind::Integer
    };
    (date) => {
        $crate::variable::Kind::Date
    };
}
pub(crate) use kind;

/// A declared output. Its source is the model's page.
#[must_use]
pub const fn output(
    role: Role,
    name: &'static str,
    unit: &'static str,
    low: f64,
    high: f64,
    meaning: &'static str,
    choices: &'static [&'static str],
) -> Variable {
    let kind = if choices.is_empty() { Kind::Number } else { Kind::Choice };
    Variable {
        name,
        kind,
        role,
        unit,
        low,
        high,
        default: NONE,
        typical: (NONE, NONE),
        meaning: meaning.trim_ascii(),
        source: "computed",
        basis: Basis::Definition,
        choices,
    }
}

#[cfg(test)]
mod tests {
    use super::{INFINITE, Kind, Variable};
    use crate::plan::registry;

    fn named(name: &str) -> Variable {
        registry().variables[registry().ids[name]]
    }

    #[test]
    fn every_variable_is_declared_soundly() {
        for variable in &registry().variables {
            let Variable { name, low, high, default, typical, .. } = *variable;
            assert!(low < high, "{name}");
            assert!(default.is_nan() || variable.allows(default), "the default of {name}");
            let inside = low <= typical.0 && typical.0 <= typical.1 && typical.1 <= high;
            assert!(inside || (typical.0.is_nan() && typical.1.is_nan()), "the typical range of {name}");
            assert!(!variable.meaning.is_empty() && !variable.source.is_empty() && !variable.unit.is_empty(), "{name}");
            assert!(variable.allows(variable.safe_value()), "the safe value of {name}");
            let suffixed = name.ends_with("_usd") == (variable.unit == "USD");
            assert!(suffixed, "{name} in {}", variable.unit);
            // decline_per_year is the factor of a year, by its own name.
            if name.ends_with("_per_year") && name != "decline_per_year" && !name.contains("_usd_") {
                assert!(variable.unit.ends_with("1/year"), "{name} in {}", variable.unit);
            }
        }
    }

    #[test]
    fn bounds_and_whole_numbers() {
        let life = named("build_demand_half_life_months");
        assert!(life.allows(INFINITE) && !life.allows(0.0) && !life.allows(f64::NAN));
        let layers = named("die_critical_layers");
        assert_eq!(layers.kind, Kind::Integer);
        assert!(layers.allows(3.0) && !layers.allows(3.5) && !layers.allows(1001.0));
        assert!(!named("train_mfu").allows(1.000_001));
    }
}
