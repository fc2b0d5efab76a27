//! A model tried on one scenario, for the tests in its file.

use crate::number::{Dual, Number};
use crate::plan::registry;
use crate::variable::{Kind, Model, needs};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::Index;

/// Inputs, and outputs the caller gives, by name; choices by their text. Variables not named have their default.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub values: &'a [(&'a str, f64)],
    pub choices: &'a [(&'a str, &'a str)],
}

/// The outputs; asking for one that lacks an input panics and names it.
pub struct Answers(HashMap<&'static str, Result<f64, String>>);

impl Index<&str> for Answers {
    type Output = f64;
    fn index(&self, name: &str) -> &f64 {
        match self.0.get(name) {
            Some(Ok(value)) => value,
            Some(Err(missing)) => panic!("{name} lacks {missing}"),
            None => panic!("{name} is no output"),
        }
    }
}

fn value(case: Case, name: &str) -> f64 {
    let stated = case.values.iter().find(|(named, _)| *named == name).map(|(_, value)| *value);
    stated.unwrap_or_else(|| registry().variables[registry().ids[name]].default)
}

fn choices<M: Model>(case: Case) -> Vec<u8> {
    let code = |name: &&str| {
        let variable = &registry().variables[registry().ids[name]];
        let position = |text: &str| variable.choices.iter().position(|choice| *choice == text);
        match case.choices.iter().find(|(named, _)| named == name) {
            Some((_, text)) => u8::try_from(position(text).expect("a known choice")).expect("few choices"),
            None => registry_default(variable.default),
        }
    };
    M::CHOICES.iter().map(code).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position")]
fn registry_default(default: f64) -> u8 {
    default as u8
}

fn outputs<M: Model, N: Number>(case: Case, number: impl Fn(&str) -> N) -> Vec<N> {
    let stated = |name: &str| case.values.iter().any(|(named, _)| *named == name);
    for (name, _) in case.values {
        let known = M::INPUTS.contains(name) || M::OUTPUTS.iter().any(|output| output.name == *name);
        assert!(known, "{} has no {name}", M::NAME);
    }
    let inputs = M::load(|k| number(M::INPUTS[k]), &choices::<M>(case));
    let given = M::load_given(
        |k| {
            let name = M::OUTPUTS[k].name;
            stated(name).then(|| number(name))
        },
        u64::MAX,
    );
    let found = RefCell::new(vec![N::zero(); M::OUTPUTS.len()]);
    M::store(M::equations(inputs, given), |k, output| found.borrow_mut()[k] = output);
    found.into_inner()
}

/// Evaluates one scenario.
pub fn evaluate<M: Model>(values: &[(&str, f64)], choices_by_name: &[(&str, &str)]) -> Answers {
    let case = Case { values, choices: choices_by_name };
    let stated = |name: &str| values.iter().any(|(named, _)| *named == name);
    let given = M::OUTPUTS.iter().enumerate().map(|(k, output)| u64::from(stated(output.name)) << k).sum();
    let reads = needs::<M>(given, &choices::<M>(case));
    let missing = |bits: u128| -> Vec<&str> {
        let inputs = M::INPUTS.iter().enumerate().filter(|(k, _)| bits >> k & 1 == 1);
        inputs.map(|(_, name)| *name).filter(|name| value(case, name).is_nan()).collect()
    };
    let found = outputs::<M, f64>(case, |name| value(case, name));
    let answer = |k: usize| {
        let missing = missing(reads[k].all);
        (M::OUTPUTS[k].name, if missing.is_empty() { Ok(found[k]) } else { Err(missing.join(", ")) })
    };
    Answers((0..M::OUTPUTS.len()).map(answer).collect())
}

/// The same scenario with some values exchanged or added.
pub fn with<'a>(values: &[(&'a str, f64)], changes: &[(&'a str, f64)]) -> Vec<(&'a str, f64)> {
    let kept = values.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    kept.chain(changes).copied().collect()
}

/// Derivative of every output by one input, by the dual number.
pub fn gradient<M: Model>(case: Case, by: &str) -> HashMap<&'static str, f64> {
    let seed = |name: &str| Dual { value: value(case, name), derivative: if name == by { 1.0 } else { 0.0 } };
    let found = outputs::<M, Dual<f64>>(case, seed);
    M::OUTPUTS.iter().zip(found).map(|(output, number)| (output.name, number.derivative)).collect()
}

/// Shares of an input's value by which it is moved for a difference.
const STEP: f64 = 1e-4;
/// Extrapolated central differences at that step: the rest of the series is about 1e-12, rounding 1e-16 / 1e-4 of the
/// output, and outputs that are sums of larger terms lose two digits more.
const TOLERANCE: f64 = 1e-8;

/// The dual number's derivative of every output by every number the model reads against differences, where `case` states
/// the input and it is no whole number. `skip`: outputs that are constant between steps.
pub fn check_derivatives<M: Model>(case: Case, skip: &[&str]) {
    let mut checked = HashSet::new();
    for name in M::INPUTS {
        let variable = &registry().variables[registry().ids[name]];
        let at = value(case, name);
        if variable.kind == Kind::Integer || !at.is_finite() {
            continue;
        }
        let step = if at == 0.0 { STEP } else { at.abs() * STEP };
        let moved =
            |by: f64| outputs::<M, f64>(case, |other| value(case, other) + if other == *name { by } else { 0.0 });
        let central = |step: f64| -> Vec<f64> {
            moved(step).iter().zip(moved(-step)).map(|(after, before)| (after - before) / (2.0 * step)).collect()
        };
        let (wide, narrow, here) = (central(step), central(step / 2.0), moved(0.0));
        let exact = gradient::<M>(case, name);
        for (k, output) in M::OUTPUTS.iter().enumerate() {
            let constant = !output.choices.is_empty() || skip.contains(&output.name);
            if constant || !here[k].is_finite() {
                continue;
            }
            let difference = (narrow[k] * 4.0 - wide[k]) / 3.0;
            let derivative = exact[output.name];
            let allowed = TOLERANCE * derivative.abs().max(here[k].abs() / at.abs().max(1.0));
            assert!(
                (derivative - difference).abs() <= allowed,
                "d {} / d {name} is {derivative:e} by the dual number, {difference:e} by differences",
                output.name
            );
            if derivative != 0.0 {
                checked.insert(output.name);
            }
        }
    }
    let numbers = M::OUTPUTS.iter().filter(|output| output.choices.is_empty() && !skip.contains(&output.name));
    for output in numbers {
        assert!(checked.contains(output.name), "{} has no derivative other than 0 in this case", output.name);
    }
}
