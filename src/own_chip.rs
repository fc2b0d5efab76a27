//! The models of serving a second time, for the own chip of a row. What of the load is the same: `models/own_load.rs`.

use crate::models::Entry;
use crate::variable::{Basis, Variable};

/// The models declared, and those of serving once more for the own chip.
#[must_use]
pub fn with_own_chip(declared: &'static [Entry]) -> Vec<Entry> {
    let serving = declared.iter().filter(|entry| SERVING.contains(&entry.name));
    declared.iter().copied().chain(serving.map(own)).collect()
}

const SERVING: [&str; 6] =
    ["serving_format", "serving_engine", "serving_speculation", "serving_search", "serving", "serving_cost"];

/// A model under the own chip's names: the same code, so that nothing is compiled twice.
fn own(of: &'static Entry) -> Entry {
    let names = |names: &[&'static str]| names.iter().map(|name| own_name(name)).collect::<Vec<_>>().leak();
    let variables = |variables: &[Variable]| variables.iter().map(own_variable).collect::<Vec<_>>().leak();
    let together = |sum: &&[(&'static str, f64)]| {
        &*sum.iter().map(|(name, weight)| (own_name(name), *weight)).collect::<Vec<_>>().leak()
    };
    Entry {
        name: format!("asic_{}", of.name).leak(),
        about: vec![own_meaning(of.about.concat().leak().trim_ascii())].leak(),
        owned: variables(of.owned),
        inputs: names(of.inputs),
        choices: names(of.choices),
        outputs: variables(of.outputs),
        together: of.together.iter().map(together).collect::<Vec<_>>().leak(),
        of: Some(of),
        ..*of
    }
}

/// The own chip's name of a variable. A language model is the same on both.
fn own_name(name: &'static str) -> &'static str {
    match name.strip_prefix("chip_") {
        Some(rest) => format!("asic_{rest}").leak(),
        None if name.starts_with("serve_") => format!("asic_{name}").leak(),
        None => name,
    }
}

fn own_variable(variable: &Variable) -> Variable {
    let name = own_name(variable.name);
    if name == variable.name {
        return *variable;
    }
    let (source, basis) = match variable.name {
        merchant if merchant.starts_with("chip_") => ("target of the own design", Basis::Estimate),
        fitted if fitted.starts_with("serve_cal_") && variable.basis == Basis::Measured => (
            format!("{}; of merchant chips, none is fitted to the own one", variable.source).leak() as &_,
            Basis::Estimate,
        ),
        _ => (variable.source, variable.basis),
    };
    Variable { name, meaning: own_meaning(variable.meaning), source, basis, ..*variable }
}

fn own_meaning(meaning: &'static str) -> &'static str {
    if meaning.contains("serving chip") {
        return meaning.replace("serving chip", "own chip").leak();
    }
    // An abbreviation or a name keeps its capital.
    let (first, rest) = meaning.split_at(1);
    let word = rest.split(' ').next().unwrap_or_default();
    let lowered = if word.contains(char::is_uppercase) { first.to_owned() } else { first.to_lowercase() };
    format!("Own chip: {lowered}{rest}").leak()
}

#[cfg(test)]
mod tests {
    use super::SERVING;
    use crate::models::MODELS;

    #[test]
    fn the_own_chip_runs_the_same_code_under_its_own_names() {
        let entry = |name: &str| *MODELS.iter().find(|entry| entry.name == name).expect("a model");
        for name in SERVING {
            assert_eq!(entry(&format!("asic_{name}")).of.map(|of| of.name), Some(name));
        }
        let (serving, own) = (entry("serving"), entry("asic_serving"));
        assert!(std::ptr::fn_addr_eq(serving.run, own.run) && std::ptr::fn_addr_eq(serving.needs, own.needs));
        for (name, same) in serving.inputs.iter().zip(own.inputs) {
            let (chip, serve) = (name.strip_prefix("chip_"), name.strip_prefix("serve_"));
            let wanted = chip.map(|rest| format!("asic_{rest}")).or(serve.map(|rest| format!("asic_serve_{rest}")));
            assert_eq!(wanted.as_deref().unwrap_or(name), *same);
        }
        let meaning =
            |name: &str| own.owned.iter().chain(own.outputs).find(|one| one.name == name).expect(name).meaning;
        assert_eq!(meaning("asic_memory_bytes_per_s"), "Memory bandwidth of the own chip.");
        assert_eq!(meaning("asic_serve_tpot_s"), "Own chip: time of an output token.");
    }
}
