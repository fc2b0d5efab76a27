//! Equations as a person reads them, from the models' own lines: what is computed and what is shown can't differ.
//!
//! A model's file is part of the library as text. Its `equations` are read as algebra, functions that are algebra written
//! out. A line in a loop is none: the equations of the file's header stand for it.

mod read;
mod term;

use crate::models::Entry;
use crate::variable::Kind;
use read::{Body, Circumstances, Page, Reader};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use term::{Term, Writer};

const TESTS: &[u8] = b"\n#[cfg(test)]";

/// Where a file's tests begin.
#[must_use]
pub const fn before_tests(text: &str) -> usize {
    let text = text.as_bytes();
    let mut at = 0;
    while at + TESTS.len() <= text.len() {
        let mut same = 0;
        while same < TESTS.len() && text[at + same] == TESTS[same] {
            same += 1;
        }
        if same == TESTS.len() {
            return at;
        }
        at += 1;
    }
    text.len()
}

#[must_use]
pub const fn start<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let mut at = 0;
    while at < LENGTH {
        bytes[at] = text.as_bytes()[at];
        at += 1;
    }
    bytes
}

/// `page!(path)`: a file's text up to its tests.
macro_rules! page {
    ($path:expr) => {{
        const TEXT: &str = include_str!($path);
        const LENGTH: usize = $crate::algebra::before_tests(TEXT);
        const BYTES: [u8; LENGTH] = $crate::algebra::start(TEXT);
        match std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => panic!("a line is cut at its end"),
        }
    }};
}
pub(crate) use page;

/// A file as its path and its text up to its tests.
macro_rules! shared {
    ($($name:literal)*) => { &[$((concat!("src/", $name), page!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/", $name)))),*] };
}
/// Files of equations that several models share.
const SHARED: &[(&str, &str)] = shared!["variable.rs" "finance.rs" "launch.rs" "market.rs" "outcomes.rs" "risk.rs" "root.rs" "saving.rs" "own_flow.rs" "defects.rs" "occupancy.rs" "wafer.rs" "flop.rs" "normal.rs" "scaling_law.rs" "serving.rs" "vintage.rs" "gemm.rs" "layer.rs" "lattice.rs" "micro_batch.rs" "transformer.rs" "spending.rs"];

/// The files read, by text.
struct Library {
    shared: Vec<Page>,
    own: HashMap<&'static str, Rc<Page>>,
    bodies: HashMap<&'static str, Rc<Body>>,
}

thread_local! {
    static LIBRARY: std::cell::RefCell<Option<Library>> = const { std::cell::RefCell::new(None) };
}

/// Works with a model's file, the shared ones, and the model's body.
fn with_model<R>(model: &Entry, work: impl FnOnce(&Page, &[Page], &Body) -> R) -> R {
    LIBRARY.with_borrow_mut(|library| {
        let library = library.get_or_insert_with(|| Library {
            shared: SHARED.iter().map(|(file, text)| Page::new(file, text)).collect(),
            own: HashMap::new(),
            bodies: HashMap::new(),
        });
        let page = library.own.entry(model.page).or_insert_with(|| Rc::new(Page::new(model.file, model.page)));
        let body = library.bodies.entry(model.name).or_insert_with(|| Rc::new(Body::new(model.body)));
        work(page, &library.shared, body)
    })
}

/// An output's line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Equation {
    /// Empty where it is no algebra.
    pub text: String,
    /// What stands in the text and has a name inside the model only, each as (name, text).
    pub local: Vec<(String, String)>,
    /// Functions in it that say something of themselves.
    pub functions: Vec<Said>,
    /// The variables it mentions.
    pub names: BTreeSet<String>,
    /// Whether it is a function of ours that is no algebra, and nothing else.
    is_call: bool,
}

/// What a function of ours says of itself, and its file too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub function: String,
    pub says: String,
    pub file: String,
    pub header: String,
}

/// A row, as far as it decides what is shown of a line.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// Whether the caller gives an output.
    pub given: &'a dyn Fn(&str) -> bool,
    /// The text of a choice, where it is known.
    pub choice: &'a dyn Fn(&str) -> Option<String>,
    /// Without, branches that hang on numbers are all shown.
    pub numbers: Option<Numbers<'a>>,
}

#[derive(Clone, Copy)]
pub struct Numbers<'a> {
    /// Of a variable.
    pub value: &'a dyn Fn(&str) -> f64,
    /// What an output's line reads.
    pub reads: &'a dyn Fn(&str) -> BTreeSet<String>,
}

/// The names of a model for a second chip, each with the one it has in the model's file.
struct Names(Vec<(&'static str, &'static str)>);

impl Names {
    fn new(model: &Entry, of: &Entry) -> Names {
        let outputs = |entry: &Entry| entry.outputs.iter().map(|output| output.name).collect::<Vec<_>>();
        let all = |entry: &Entry| [entry.inputs, entry.choices, &outputs(entry)].concat();
        Names(all(model).into_iter().zip(all(of)).filter(|(own, file)| own != file).collect())
    }
    fn in_file(&self, own: &str) -> String {
        self.0.iter().find(|names| names.0 == own).map_or(own, |names| names.1).to_owned()
    }
    fn own(&self, in_file: &str) -> String {
        self.0.iter().find(|names| names.1 == in_file).map_or(in_file, |names| names.0).to_owned()
    }
    /// A text with its whole words renamed.
    fn own_text(&self, text: &str) -> String {
        let part = |letter: char| letter.is_alphanumeric() || letter == '_';
        let mut own = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|letter| part(letter) != part(first)).unwrap_or(rest.len());
            own += &self.own(&rest[..end]);
            rest = &rest[end..];
        }
        own
    }
    /// What is known of a row, under the names of the file.
    fn seen<R>(&self, seen: &Seen, work: impl FnOnce(&Seen) -> R) -> R {
        let given = |name: &str| (seen.given)(&self.own(name));
        let choice = |name: &str| (seen.choice)(&self.own(name));
        let Some(numbers) = seen.numbers else {
            return work(&Seen { given: &given, choice: &choice, numbers: None });
        };
        let value = |name: &str| (numbers.value)(&self.own(name));
        let reads = |name: &str| (numbers.reads)(&self.own(name)).iter().map(|read| self.in_file(read)).collect();
        work(&Seen { given: &given, choice: &choice, numbers: Some(Numbers { value: &value, reads: &reads }) })
    }
}

/// What is shown where nothing is given and no choice known.
pub const ANYWHERE: Seen = Seen { given: &|_| false, choice: &|_| None, numbers: None };

fn circumstances<'a>(
    model: &'a Entry,
    seen: &Seen<'a>,
    choice: &'a dyn Fn(&str) -> Option<String>,
) -> Circumstances<'a> {
    let is_boolean = |name: &str| model.owned.iter().any(|one| one.name == name && one.kind == Kind::Boolean);
    Circumstances { given: seen.given, choice, boolean: Box::new(is_boolean) }
}

/// For each output of a model the choices that its line reads. `moves`: whether an output, given its place, moves with a
/// choice, given its own, which settles what lines that are no algebra only seem to read.
#[must_use]
pub fn choices_read(model: &Entry, seen: &Seen, moves: &dyn Fn(usize, usize) -> bool) -> HashMap<String, Vec<String>> {
    if let Some(of) = model.of {
        let names = Names::new(model, of);
        let read = names.seen(seen, |seen| choices_read(of, seen, moves));
        let own = |choices: Vec<String>| choices.iter().map(|choice| names.own(choice)).collect();
        return read.into_iter().map(|(output, choices)| (names.own(&output), own(choices))).collect();
    }
    with_model(model, |own, shared, body| {
        let mut found: HashMap<String, Vec<String>> = HashMap::new();
        for (c, &choice) in model.choices.iter().enumerate() {
            // A line mentions a choice where that is not known.
            let open = |name: &str| if name == choice { None } else { (seen.choice)(name) };
            let lines = read::lines(own, shared, body, &circumstances(model, seen, &open));
            for (o, output) in model.outputs.iter().enumerate() {
                let mentions = match lines.get(output.name) {
                    Some(line) if line.is_known() => line.names().contains(choice),
                    _ => read::mentioned(body, output.name).contains(choice) && moves(o, c),
                };
                if mentions {
                    found.entry(output.name.to_owned()).or_default().push(choice.to_owned());
                }
            }
        }
        found
    })
}

/// The lines of a model's outputs that are not given.
#[must_use]
pub fn equations(model: &Entry, seen: &Seen) -> HashMap<String, Equation> {
    if let Some(of) = model.of {
        let names = Names::new(model, of);
        let found = names.seen(seen, |seen| equations(of, seen));
        return found.into_iter().map(|(output, line)| (names.own(&output), line.renamed(&names))).collect();
    }
    with_model(model, |own, shared, body| {
        let lines = read::lines(own, shared, body, &circumstances(model, seen, seen.choice));
        let not_given = model.outputs.iter().map(|output| output.name).filter(|output| !(seen.given)(output));
        not_given
            .map(|output| {
                let mut equation = lines.get(output).map_or_else(Equation::default, |line| written(output, line, seen));
                equation.functions.retain_mut(|said| {
                    let found = Reader::about(own, shared, &said.function);
                    let any = found.is_some();
                    *said = found.unwrap_or_default();
                    any
                });
                (output.to_owned(), equation)
            })
            .collect()
    })
}

fn written(output: &str, line: &term::T, seen: &Seen) -> Equation {
    if !line.is_known() {
        return Equation::default();
    }
    let mut line = line.clone();
    if let Some(numbers) = seen.numbers {
        line = term::without_unread(&line, &(numbers.reads)(output));
        line = term::settled(&line, numbers.value);
    }
    let line = term::unrepeated(&line);
    let mut writer = Writer::of(output);
    let text = writer.write_line(&line);
    let is_call = matches!(line.bare(), Term::Call(..)) && line.bare().is_of_ours();
    let functions = writer.functions.into_iter().map(|function| Said { function, ..Said::default() }).collect();
    Equation { text, local: writer.lines, functions, names: line.names(), is_call }
}

/// What a model's file says of itself, and its equations there: the indented lines.
#[must_use]
pub fn header(model: &Entry) -> (String, String) {
    with_model(model, |own, _, _| {
        let indented: Vec<&str> = own.header.lines().filter_map(|line| line.strip_prefix("    ")).collect();
        (own.header.clone(), indented.join("\n"))
    })
}

/// What the shared files say of themselves.
#[must_use]
pub fn shared_headers() -> Vec<(String, String)> {
    with_model(&crate::models::MODELS[0], |_, shared, _| {
        shared.iter().map(|page| (page.file.clone(), page.header.clone())).collect()
    })
}

impl Equation {
    /// That of a variable which is as another.
    #[must_use]
    pub fn same_as(variable: &str) -> Equation {
        Equation { text: variable.to_owned(), names: BTreeSet::from([variable.to_owned()]), ..Equation::default() }
    }
    fn renamed(self, names: &Names) -> Equation {
        let local = self.local.iter().map(|(name, text)| (names.own(name), names.own_text(text))).collect();
        let all = self.names.iter().map(|name| names.own(name)).collect();
        Equation { text: names.own_text(&self.text), local, names: all, ..self }
    }
    /// Whether it needs the equations of the model's file beside it: it is no algebra, or a function of ours alone.
    #[must_use]
    pub fn is_in_header(&self) -> bool {
        self.text.is_empty() || self.is_call
    }
    /// Where a variable is first mentioned.
    #[must_use]
    pub fn place(&self, variable: &str) -> usize {
        let lines = std::iter::once(self.text.as_str()).chain(self.local.iter().map(|(_, text)| text.as_str()));
        let mut before = 0;
        for line in lines {
            let whole = |at: &(usize, &str)| {
                let part = |letter: char| letter.is_alphanumeric() || letter == '_';
                !line[..at.0].ends_with(part) && !line[at.0 + variable.len()..].starts_with(part)
            };
            if let Some((at, _)) = line.match_indices(variable).find(whole) {
                return before + at;
            }
            before += line.len();
        }
        usize::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::MODELS;

    fn line(model: &str, output: &str, seen: &Seen) -> Equation {
        let model = MODELS.iter().find(|entry| entry.name == model).expect("a model");
        equations(model, seen).remove(output).expect("an output")
    }
    #[test]
    fn the_lines_of_a_second_chip_have_its_names() {
        let cost = anywhere("asic_serving_cost", "asic_serve_usd_per_mtok");
        let merchant = anywhere("serving_cost", "serve_usd_per_mtok");
        assert_eq!(
            cost,
            merchant.replace("serve_", "asic_serve_").replace("chip_rent", "asic_rent").replace("per_asic_", "per_")
        );
    }

    fn anywhere(model: &str, output: &str) -> String {
        line(model, output, &ANYWHERE).text
    }

    #[test]
    fn every_line_is_algebra_or_stands_in_the_header() {
        for model in MODELS.iter() {
            let found = equations(model, &ANYWHERE);
            assert_eq!(found.len(), model.outputs.len(), "{}", model.name);
            for (output, equation) in found {
                assert!(!equation.is_in_header() || !header(model).1.is_empty(), "{}: {output}", model.name);
                assert!(!equation.text.contains('…'), "{output} = {}", equation.text);
            }
        }
    }

    #[test]
    fn lines_read_as_algebra() {
        assert_eq!(
            anywhere("training", "train_cost_usd"),
            "train_hardware_usd + train_interconnect_usd + train_energy_usd"
        );
        assert_eq!(anywhere("die_shape", "die_width_mm"), "sqrt(die_area_mm2)");
        assert_eq!(anywhere("build_or_buy", "decision"), "build if 0 < build_npv_usd, else buy");
        let pass = line("package", "asic_package_loss_usd", &ANYWHERE);
        assert_eq!(pass.text, "asic_bom_usd · failed_per_passed");
        let failed = "(1 − package_pass_share) / (package_pass_share if 0 < package_pass_share, else none)";
        assert_eq!(pass.local, [("failed_per_passed".to_owned(), failed.to_owned())]);
        let year = line("decline", "decline_per_year", &ANYWHERE);
        assert_eq!(year.text, "exp(total_log / decline_years)");
        assert_eq!(year.local, [("total_log".to_owned(), "ln(decline_total)".to_owned())]);
        let hours = line("training", "train_chip_hours", &ANYWHERE);
        assert_eq!(hours.local, [("SECONDS_PER_HOUR".to_owned(), "3600".to_owned())]);
    }

    #[test]
    fn a_branch_is_taken_where_it_is_known() {
        let choice = |name: &str| (name == "yield_model").then(|| "seeds".to_owned());
        let seeds = line("die", "die_yield", &Seen { choice: &choice, ..ANYWHERE });
        assert_eq!(seeds.local[0], ("perfect_share".to_owned(), "1 / (defects_per_die + 1)".to_owned()));
        assert_eq!(seeds.functions[0].file, "src/defects.rs");
        let given = |name: &str| name == "die_height_mm";
        let width = line("die_shape", "die_width_mm", &Seen { given: &given, ..ANYWHERE });
        assert_eq!(width.text, "die_area_mm2 / die_height_mm");
        let value = |_: &str| 0.5;
        let reads = |_: &str| BTreeSet::from(["asic_bom_usd".to_owned(), "package_pass_share".to_owned()]);
        let numbers = Some(Numbers { value: &value, reads: &reads });
        let loss = line("package", "asic_package_loss_usd", &Seen { numbers, ..ANYWHERE });
        assert_eq!(loss.local[0].1, "(1 − package_pass_share) / package_pass_share");
    }

    #[test]
    fn loops_are_no_algebra() {
        let saving = line("build", "lifetime_saving_usd", &ANYWHERE);
        assert!(saving.text.is_empty() && saving.is_in_header());
        assert!(line("demand", "lifetime_inference_usd", &ANYWHERE).is_in_header());
        assert!(!line("build", "build_npv_usd", &ANYWHERE).is_in_header());
        let (_, block) = header(MODELS.iter().find(|model| model.name == "build").expect("a model"));
        assert!(block.contains("NPV = S - NRE"), "{block}");
    }

    #[test]
    fn choices_are_read_where_a_line_hangs_on_them() {
        let model = MODELS.iter().find(|model| model.name == "build").expect("a model");
        let place = |output: &str| model.outputs.iter().position(|one| one.name == output).expect("an output");
        let paid = place("programme_nre_pv_usd");
        let found = choices_read(model, &ANYWHERE, &|output, _| output != paid);
        assert!(found.contains_key("lifetime_saving_usd") && found.contains_key("build_payback_months"), "{found:?}");
        for output in ["programme_nre_pv_usd", "build_npv_usd", "build_parity_months"] {
            assert!(!found.contains_key(output), "{output}");
        }
    }

    #[test]
    fn files_that_headers_name_are_known() {
        let known: Vec<String> = shared_headers().into_iter().map(|(file, _)| file).collect();
        for model in MODELS.iter() {
            for word in header(model).0.split('`').filter_map(|word| word.strip_suffix(".rs")) {
                let file = format!("src/{}.rs", word.trim_start_matches("src/"));
                let of_a_model = MODELS.iter().any(|other| other.file == file);
                assert!(of_a_model || known.contains(&file), "{} names {file}: SHARED lacks it", model.name);
            }
        }
    }

    #[test]
    fn places_are_those_of_whole_names() {
        let equation = Equation { text: "die_cost_usd_more + die_cost_usd".to_owned(), ..Equation::default() };
        assert_eq!(equation.place("die_cost_usd"), 20);
        assert_eq!(equation.place("cost"), usize::MAX);
    }
}
