//! Models that run again for a further chip of the same row, under names of its own: those of serving for the own chip, whose
//! load is in `models/own_load.rs`, and the figures of a chip's multiplication units for a basket of chips.

use crate::models::Entry;
use crate::variable::{Basis, Kind, Variable};
use std::collections::HashMap;

/// The models declared, and those that run again.
///
/// # Panics
/// Where one of these is not declared: found by every test.
#[must_use]
pub fn with_further_chips(declared: &'static [Entry]) -> Vec<Entry> {
    let serving = declared.iter().filter(|entry| SERVING.contains(&entry.name));
    let own = serving.map(|of| again(of, "asic_", own_meaning(of.about.concat().leak().trim_ascii()), &own_variable));
    let units: &Entry = declared.iter().find(|entry| entry.name == UNITS).expect("declared");
    let of_basket = [("second_", "The same of a second chip, of a basket."), ("third_", "The same of a third chip.")];
    let of_basket = of_basket.map(|(prefix, about)| {
        again(units, prefix, about, &|variable: &Variable| match variable.kind {
            // A choice holds for all chips of the basket.
            Kind::Choice | Kind::Boolean => *variable,
            _ => Variable { name: format!("{prefix}{}", variable.name).leak(), ..*variable },
        })
    });
    declared.iter().copied().chain(own).chain(of_basket).collect()
}

const SERVING: [&str; 6] =
    ["serving_format", "serving_engine", "serving_speculation", "serving_search", "serving", "serving_cost"];
const UNITS: &str = "gemm_kernels";

/// A model under other names: the same code, so that nothing is compiled twice.
fn again(of: &'static Entry, prefix: &str, about: &'static str, renamed: &dyn Fn(&Variable) -> Variable) -> Entry {
    let variables = |variables: &[Variable]| &*variables.iter().map(renamed).collect::<Vec<_>>().leak();
    let (owned, outputs) = (variables(of.owned), variables(of.outputs));
    let declared = of.owned.iter().chain(of.outputs).zip(owned.iter().chain(outputs));
    let names: HashMap<&str, &'static str> = declared.map(|(file, here)| (file.name, here.name)).collect();
    // What another model declares is renamed as if it were declared here.
    let here = |name: &'static str| -> &'static str {
        names.get(name).copied().unwrap_or_else(|| renamed(&Variable { name, ..of.outputs[0] }).name)
    };
    let all = |names: &[&'static str]| &*names.iter().map(|name| here(name)).collect::<Vec<_>>().leak();
    let sum = |sum: &&[(&'static str, f64)]| &*sum.iter().map(|one| (here(one.0), one.1)).collect::<Vec<_>>().leak();
    Entry {
        name: format!("{prefix}{}", of.name).leak(),
        about: vec![about].leak(),
        owned,
        inputs: all(of.inputs),
        choices: all(of.choices),
        outputs,
        together: of.together.iter().map(sum).collect::<Vec<_>>().leak(),
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
    fn a_basket_has_the_units_of_every_chip_and_one_precision() {
        let second = MODELS.iter().find(|entry| entry.name == "second_gemm_kernels").expect("a model");
        assert!(second.inputs.contains(&"second_chip_gemm_units") && !second.inputs.contains(&"chip_gemm_units"));
        assert_eq!(second.choices, ["gemm_precision"]);
        assert!(second.owned.iter().any(|variable| variable.name == "gemm_precision"));
        assert!(second.outputs.iter().all(|output| output.name.starts_with("second_gemm_")));
    }

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
