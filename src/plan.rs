//! Which models run, in which order, for the rows of one pattern of known variables.
//!
//! The value of a variable on a row is the first of these that is there: its column, an assumption, the catalog entry a key
//! names, the model that computes it if it can on this row, its default. Rows are grouped by which of their columns are
//! there; within such a pattern everything is static. What an output reads is traced, with given outputs as cuts.

use crate::models::{ALTERNATIVES, Entry, MODELS};
use crate::variable::{Kind, Role, Variable};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock};

pub type VariableId = usize;

/// A model with its variables by number.
pub struct Registered {
    pub entry: &'static Entry,
    pub inputs: Vec<VariableId>,
    pub choices: Vec<VariableId>,
    pub outputs: Vec<VariableId>,
    /// Sums, of positions among the inputs and weights, in which rows that run together are alike.
    pub together: Vec<Vec<(usize, f64)>>,
}

/// Everything declared, by number.
pub struct Registry {
    pub variables: Vec<Variable>,
    /// The model a variable is declared in.
    pub owners: Vec<&'static str>,
    pub ids: HashMap<&'static str, VariableId>,
    pub models: Vec<Registered>,
    /// For each variable the models that compute it, as (model, output).
    pub providers: Vec<Vec<(usize, usize)>>,
    /// What of the own chip's serving is as the merchant's where the caller gives that and not its own.
    pub follows: HashMap<VariableId, VariableId>,
}

/// The registry, made and checked at first use.
pub fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| Registry::new(&MODELS))
}

impl Registry {
    /// # Panics
    /// Where declarations contradict each other: a mistake in a model's file, found by every test.
    #[must_use]
    pub fn new(models: &'static [Entry]) -> Registry {
        let mut variables: Vec<Variable> = Vec::new();
        let mut owners = Vec::new();
        let mut ids: HashMap<&'static str, VariableId> = HashMap::new();
        for model in models {
            for variable in model.owned.iter().chain(model.outputs) {
                if let Some(&known) = ids.get(variable.name) {
                    // An input that another model can compute, or an alternative: one quantity, declared alike.
                    let first: &mut Variable = &mut variables[known];
                    let alike = first.unit == variable.unit && first.low == variable.low && first.high == variable.high;
                    let alike = alike && first.choices == variable.choices;
                    assert!(
                        alike,
                        "{} is declared by {} and otherwise by {}",
                        variable.name, owners[known], model.name
                    );
                    // Two models that take the same choice both declare it: an input still.
                    if variable.role == Role::Input && first.role != Role::Input {
                        *first = Variable { role: Role::Output, ..*variable };
                        owners[known] = model.name;
                    }
                    continue;
                }
                ids.insert(variable.name, variables.len());
                variables.push(*variable);
                owners.push(model.name);
            }
        }
        let number = |model: &Entry, name: &'static str| {
            *ids.get(name).unwrap_or_else(|| panic!("{} reads {name}, which no model declares", model.name))
        };
        let position = |model: &Entry, name: &str| {
            let found = model.inputs.iter().position(|input| *input == name);
            found.unwrap_or_else(|| panic!("{} does not read {name}", model.name))
        };
        let registered: Vec<Registered> = models
            .iter()
            .map(|model| Registered {
                entry: model,
                inputs: model.inputs.iter().map(|name| number(model, name)).collect(),
                choices: model.choices.iter().map(|name| number(model, name)).collect(),
                outputs: model.outputs.iter().map(|output| number(model, output.name)).collect(),
                together: (model.together.iter())
                    .map(|sum| sum.iter().map(|(name, weight)| (position(model, name), *weight)).collect())
                    .collect(),
            })
            .collect();
        let mut providers = vec![Vec::new(); variables.len()];
        for (m, model) in registered.iter().enumerate() {
            assert!(!ids.contains_key(model.entry.name), "{} is a model and a variable", model.entry.name);
            assert!(model.outputs.len() <= 64, "{} has too many outputs", model.entry.name);
            assert!(model.inputs.len() + model.outputs.len() <= 128, "{} has too many variables", model.entry.name);
            for (o, &id) in model.outputs.iter().enumerate() {
                let alternative = ALTERNATIVES.contains(&variables[id].name);
                assert!(alternative || providers[id].is_empty(), "two models compute {}", variables[id].name);
                providers[id].push((m, o));
                let reads_something = model.inputs.iter().any(|&i| variables[i].default.is_nan());
                assert!(
                    variables[id].default.is_nan() || reads_something,
                    "{} would compute {} from defaults alone",
                    model.entry.name,
                    variables[id].name
                );
            }
        }
        let mut follows = HashMap::new();
        for model in &registered {
            if model.entry.follows {
                follows.extend(model.outputs.iter().copied().zip(model.inputs.iter().copied()));
            }
            if let Some(of) = model.entry.of {
                let merchant = of.choices.iter().map(|name| ids[name]);
                follows.extend(model.choices.iter().copied().zip(merchant).filter(|(own, other)| own != other));
            }
        }
        Registry { variables, owners, ids, models: registered, providers, follows }
    }

    /// Everything the outputs may depend on, whatever is given.
    #[must_use]
    pub fn reach(&self, outputs: &[VariableId]) -> BTreeSet<VariableId> {
        let mut reached = BTreeSet::new();
        let mut open = outputs.to_vec();
        while let Some(id) = open.pop() {
            if reached.insert(id) {
                open.extend(self.follows.get(&id));
                for &(m, _) in &self.providers[id] {
                    let model = &self.models[m];
                    open.extend(model.inputs.iter().chain(&model.choices).chain(&model.outputs));
                }
            }
        }
        reached
    }
}

/// What is known on the rows of a pattern.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Known {
    /// By column, assumption or catalog entry.
    pub supplied: BTreeSet<VariableId>,
    /// Variables of a catalog whose entry is named: their defaults do not count.
    pub closed: BTreeSet<VariableId>,
    /// The value of every choice variable, by position.
    pub choices: Vec<(VariableId, u8)>,
    /// Choices that are not given and have the value of another that is.
    pub as_other: BTreeSet<VariableId>,
}

impl Known {
    /// The values of a model's choices.
    #[must_use]
    pub fn choices_of(&self, model: usize) -> Vec<u8> {
        let value = |id: &VariableId| self.choices.iter().find(|choice| choice.0 == *id).map_or(0, |choice| choice.1);
        registry().models[model].choices.iter().map(value).collect()
    }
    /// Bits of a model's outputs that are given.
    #[must_use]
    pub fn given_of(&self, model: usize) -> u64 {
        let outputs = &registry().models[model].outputs;
        outputs.iter().enumerate().map(|(o, id)| u64::from(self.is_given(model, *id)) << o).sum()
    }
    /// Whether a model takes an output as given: it is supplied, or as another that is.
    #[must_use]
    pub fn is_given(&self, model: usize, id: VariableId) -> bool {
        let itself = registry().models[model].entry.follows;
        self.supplied.contains(&id) || !itself && self.followed(id).is_some()
    }
    /// The given choice that stands for one which is not.
    #[must_use]
    pub fn followed_choice(&self, id: VariableId) -> Option<VariableId> {
        self.as_other.contains(&id).then(|| registry().follows[&id])
    }
    /// The supplied variable that stands for one which is not.
    #[must_use]
    pub fn followed(&self, id: VariableId) -> Option<VariableId> {
        let followed = registry().follows.get(&id).copied();
        followed.filter(|other| self.supplied.contains(other) && !self.supplied.contains(&id))
    }
}

/// Where a variable's value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    Supplied,
    Model(usize, usize),
    Default,
}

/// One run of a model.
#[derive(Clone, Debug)]
pub struct Step {
    pub model: usize,
    /// Bits of outputs that are supplied, and of those that are asked of this run.
    pub given: u64,
    pub wanted: u64,
    pub choices: Vec<u8>,
    /// For each wanted output, what it reads.
    pub needs: Vec<(VariableId, Vec<VariableId>)>,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub sources: HashMap<VariableId, Source>,
}

/// Why a row can't be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unanswerable {
    /// The output and the variables that would make it known, by provider.
    Unknown { output: VariableId, variable: VariableId, missing: Vec<Vec<VariableId>> },
    /// Variables that depend on each other.
    Cycle { output: VariableId, variables: Vec<VariableId> },
}

impl Unanswerable {
    #[must_use]
    pub fn text(&self, registry: &Registry) -> String {
        let name = |id: &VariableId| registry.variables[*id].name;
        match self {
            Unanswerable::Unknown { output, variable, missing } => {
                let ways: Vec<String> = missing
                    .iter()
                    .filter(|way| !way.is_empty())
                    .map(|way| way.iter().map(name).collect::<Vec<_>>().join(", "))
                    .collect();
                let what = name(variable);
                let lead = if output == variable {
                    format!("{what} can't be computed")
                } else {
                    format!("{} needs {what}, which is not known", name(output))
                };
                if ways.is_empty() {
                    format!("{lead}: give {what}")
                } else {
                    format!("{lead}: give {what}, or {}", ways.join("; or "))
                }
            }
            Unanswerable::Cycle { output, variables } => {
                let names: Vec<&str> = variables.iter().map(name).collect();
                format!("{} depends on itself: {}; give one of them", name(output), names.join(" from "))
            }
        }
    }
}

/// What an output reads: through everything on the way, and its own line alone.
#[derive(Clone, Default)]
struct Traced {
    all: Vec<VariableId>,
    line: Vec<VariableId>,
}

/// What each output of a model reads, with given outputs as cuts. Traced once for each pattern of givens and choices.
fn traced(model: usize, given: u64, choices: &[u8]) -> Arc<[Traced]> {
    type Known = HashMap<(usize, u64, Vec<u8>), Arc<[Traced]>>;
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    let registered = &registry().models[model];
    let key = (model, given, choices.to_vec());
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    known
        .entry(key)
        .or_insert_with(|| {
            let inputs = registered.inputs.len();
            let variables = |bits: u128| {
                (0..inputs + registered.outputs.len())
                    .filter(|k| bits >> k & 1 == 1)
                    .map(|k| if k < inputs { registered.inputs[k] } else { registered.outputs[k - inputs] })
                    .collect()
            };
            (registered.entry.needs)(given, choices)
                .into_iter()
                .map(|reads| Traced { all: variables(reads.all), line: variables(reads.line) })
                .collect()
        })
        .clone()
}

/// What the line of an output reads: inputs, and outputs of the same model, given or not.
#[must_use]
pub fn line(model: usize, given: u64, choices: &[u8], output: usize) -> Vec<VariableId> {
    traced(model, given, choices)[output].line.clone()
}

fn needs(model: usize, given: u64, choices: &[u8], output: usize) -> Vec<VariableId> {
    traced(model, given, choices)[output].all.clone()
}

/// A variable's ways of being computed: for each provider what it reads.
struct Ways {
    needs: HashMap<VariableId, Vec<(usize, usize, Vec<VariableId>)>>,
    defaults: HashSet<VariableId>,
}

impl Ways {
    /// The variables that can be known. `without`: one that may not be computed.
    fn knowable(&self, supplied: &BTreeSet<VariableId>, without: Option<VariableId>) -> HashSet<VariableId> {
        let mut known: HashSet<VariableId> = supplied.iter().copied().collect();
        loop {
            let more: Vec<VariableId> = self
                .needs
                .iter()
                .filter(|(id, ways)| {
                    Some(**id) != without && !known.contains(id) && ways.iter().any(|way| self.can(&way.2, &known))
                })
                .map(|(id, _)| *id)
                .collect();
            if more.is_empty() {
                return known;
            }
            known.extend(more);
        }
    }
    fn can(&self, needs: &[VariableId], known: &HashSet<VariableId>) -> bool {
        needs.iter().all(|id| known.contains(id) || self.defaults.contains(id))
    }
}

/// A way out that asks for more than this is not told in a second form, nor is such a form told.
const READABLE: usize = 10;

/// The walk back from the outputs.
struct Walk<'a> {
    ways: &'a Ways,
    supplied: &'a BTreeSet<VariableId>,
    knowable: HashSet<VariableId>,
    sources: HashMap<VariableId, Source>,
    path: Vec<VariableId>,
    /// Computed variables in the order in which they can be computed.
    order: Vec<VariableId>,
}

impl Walk<'_> {
    fn way(&self, id: VariableId) -> Option<&(usize, usize, Vec<VariableId>)> {
        let ways = self.ways.needs.get(&id)?;
        if !self.knowable.contains(&id) {
            return None;
        }
        if ways.len() == 1 {
            return ways.first();
        }
        // An alternative may not rest on the variable itself.
        let known = self.ways.knowable(self.supplied, Some(id));
        ways.iter().find(|way| self.ways.can(&way.2, &known))
    }

    fn visit(&mut self, id: VariableId, output: VariableId) -> Result<(), Unanswerable> {
        if let Some(start) = self.path.iter().position(|open| *open == id) {
            let mut variables = self.path[start..].to_vec();
            variables.push(id);
            return Err(Unanswerable::Cycle { output, variables });
        }
        if self.sources.contains_key(&id) {
            return Ok(());
        }
        if self.supplied.contains(&id) {
            self.sources.insert(id, Source::Supplied);
            return Ok(());
        }
        if let Some((model, out, needs)) = self.way(id).cloned() {
            self.path.push(id);
            for need in needs {
                self.visit(need, output)?;
            }
            self.path.pop();
            self.sources.insert(id, Source::Model(model, out));
            self.order.push(id);
            return Ok(());
        }
        if self.ways.defaults.contains(&id) {
            self.sources.insert(id, Source::Default);
            return Ok(());
        }
        Err(Unanswerable::Unknown { output, variable: id, missing: self.missing(id) })
    }

    /// For each provider what it lacks, down to what only the caller can give.
    fn missing(&self, id: VariableId) -> Vec<Vec<VariableId>> {
        let lacking = |needs: &[VariableId]| -> BTreeSet<VariableId> {
            let mut seen = HashSet::from([id]);
            let mut leaves = BTreeSet::new();
            let mut open = needs.to_vec();
            while let Some(need) = open.pop() {
                if self.knowable.contains(&need) || self.ways.defaults.contains(&need) || !seen.insert(need) {
                    continue;
                }
                let declared_input = registry().variables[need].source != "computed";
                match self.ways.needs.get(&need) {
                    Some(ways) if ways.len() == 1 && !declared_input => open.extend(&ways[0].2),
                    _ => {
                        leaves.insert(need);
                    }
                }
            }
            leaves
        };
        let ways_of = |id: VariableId| self.ways.needs.get(&id).map_or(&[][..], |ways| &ways[..]);
        let mut missing: Vec<BTreeSet<VariableId>> = ways_of(id).iter().map(|way| lacking(&way.2)).collect();
        // Where all that a way lacks is a variable with alternatives, these are ways out too.
        for way in missing.clone() {
            if let (Some(&only), 1) = (way.first(), way.len())
                && ways_of(only).len() > 1
            {
                let more = ways_of(only).iter().map(|way| lacking(&way.2));
                missing.extend(more.filter(|more| *more != way));
            }
        }
        // Inputs that one model can find have its inputs for a way out: down to the caller's or, if these are fewer, its own.
        let unknown = |need: &&VariableId| !self.knowable.contains(*need) && !self.ways.defaults.contains(*need);
        for whole in missing.clone().into_iter().filter(|way| way.len() <= READABLE) {
            let (mut far, mut near) = (whole.clone(), whole.clone());
            for leaf in &whole {
                if let [(_, _, needs)] = ways_of(*leaf) {
                    far.remove(leaf);
                    near.remove(leaf);
                    far.extend(lacking(needs));
                    near.extend(needs.iter().filter(unknown));
                }
            }
            let shorter = if near.len() < far.len() { near } else { far };
            if shorter.len() <= READABLE {
                missing.push(shorter);
            }
        }
        // What may be as another variable is asked for under that one's name.
        let named = |id: &VariableId| *registry().follows.get(id).unwrap_or(id);
        if missing.is_empty() && registry().follows.contains_key(&id) {
            missing.push(BTreeSet::from([id]));
        }
        let mut missing: Vec<Vec<VariableId>> =
            missing.iter().map(|way| way.iter().map(named).collect::<BTreeSet<_>>().into_iter().collect()).collect();
        // A way that asks for all that another does, and more, is no help.
        let all = missing.clone();
        let mut place = 0;
        missing.retain(|way| {
            place += 1;
            !all.iter().enumerate().any(|(other, less)| {
                let no_more = !less.is_empty() && less.iter().all(|need| way.contains(need));
                no_more && (less.len() < way.len() || other + 1 < place)
            })
        });
        missing
    }
}

/// Answers to the last questions. Calls on a few rows ask the same again and again, and a plan takes longer than their rows.
struct Memory<K, V>(OnceLock<Mutex<HashMap<K, V>>>);

impl<K: Hash + Eq, V: Clone> Memory<K, V> {
    const MOST: usize = 256;
    const fn new() -> Self {
        Memory(OnceLock::new())
    }
    fn get(&self, question: K, answer: impl FnOnce(&K) -> V) -> V {
        let memory = self.0.get_or_init(Mutex::default);
        let lock = || memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = lock().get(&question) {
            return known.clone();
        }
        let new = answer(&question);
        let mut known = lock();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(question, new.clone());
        new
    }
}

/// `Registry::reach`, remembered.
pub fn reach(outputs: &[VariableId]) -> Arc<BTreeSet<VariableId>> {
    static KNOWN: Memory<Vec<VariableId>, Arc<BTreeSet<VariableId>>> = Memory::new();
    KNOWN.get(outputs.to_vec(), |outputs| Arc::new(registry().reach(outputs)))
}

impl Plan {
    /// `new`, remembered.
    ///
    /// # Errors
    /// Where an output can't be computed from what is known.
    pub fn of(known: &Known, outputs: &[VariableId]) -> Result<Arc<Plan>, Unanswerable> {
        type Answer = Result<Arc<Plan>, Unanswerable>;
        static KNOWN: Memory<(Known, Vec<VariableId>), Answer> = Memory::new();
        KNOWN.get((known.clone(), outputs.to_vec()), |(known, outputs)| Plan::new(known, outputs).map(Arc::new))
    }

    /// # Errors
    /// Where an output can't be computed from what is known.
    pub fn new(known: &Known, outputs: &[VariableId]) -> Result<Plan, Unanswerable> {
        let registry = registry();
        let reach = reach(outputs);
        let choices_of = |model: usize| known.choices_of(model);
        let given_of = |model: usize| known.given_of(model);

        let mut ways = Ways { needs: HashMap::new(), defaults: HashSet::new() };
        for &id in &*reach {
            let variable = &registry.variables[id];
            let is_choice = variable.role == Role::Input && matches!(variable.kind, Kind::Choice | Kind::Boolean);
            if is_choice || (!variable.default.is_nan() && !known.closed.contains(&id)) {
                ways.defaults.insert(id);
            }
            for &(model, output) in &registry.providers[id] {
                if registry.models[model].entry.follows && known.followed(id).is_none() {
                    continue;
                }
                let reads = needs(model, given_of(model), &choices_of(model), output);
                ways.needs.entry(id).or_default().push((model, output, reads));
            }
        }
        let knowable = ways.knowable(&known.supplied, None);
        let mut walk = Walk {
            ways: &ways,
            supplied: &known.supplied,
            knowable,
            sources: HashMap::new(),
            path: Vec::new(),
            order: Vec::new(),
        };
        for &output in outputs {
            walk.visit(output, output)?;
        }
        let Walk { sources, order, .. } = walk;

        // Each model runs once it can give all that is still asked of it. Where models wait for each other, the one runs that
        // gives what is next in the order, with what else it can give by then.
        let mut open: Vec<(VariableId, usize, usize, Vec<VariableId>)> = (order.into_iter())
            .filter_map(|id| match sources.get(&id) {
                Some(&Source::Model(model, output)) => {
                    Some((id, model, output, needs(model, given_of(model), &choices_of(model), output)))
                }
                _ => None,
            })
            .collect();
        let mut missing: HashSet<VariableId> = open.iter().map(|entry| entry.0).collect();
        let mut steps: Vec<Step> = Vec::new();
        while !open.is_empty() {
            let ready = |reads: &[VariableId]| reads.iter().all(|read| !missing.contains(read));
            let waiting: HashSet<usize> = open.iter().filter(|entry| !ready(&entry.3)).map(|entry| entry.1).collect();
            let next = open.iter().map(|entry| entry.1).find(|model| !waiting.contains(model)).unwrap_or(open[0].1);
            let (run, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(|entry| entry.1 == next && ready(&entry.3));
            let mut step =
                Step { model: next, given: given_of(next), wanted: 0, choices: choices_of(next), needs: Vec::new() };
            for (id, _, output, reads) in run {
                missing.remove(&id);
                step.wanted |= 1 << output;
                step.needs.push((id, reads));
            }
            steps.push(step);
            open = rest;
        }
        Ok(Plan { steps, sources })
    }
}

#[cfg(test)]
mod tests {
    use super::{Known, Plan, Registry, Source, Unanswerable, registry};
    use crate::models::{Entry, MODELS};
    use crate::variable::{Role, Variable};

    fn id(name: &str) -> usize {
        registry().ids[name]
    }
    fn known(supplied: &[&str]) -> Known {
        Known { supplied: supplied.iter().map(|name| id(name)).collect(), ..Known::default() }
    }
    fn plan(supplied: &[&str], output: &str) -> Result<Plan, String> {
        Plan::new(&known(supplied), &[id(output)]).map_err(|why| why.text(registry()))
    }
    fn model_of(plan: &Plan, name: &str) -> &'static str {
        match plan.sources[&id(name)] {
            Source::Model(model, _) => registry().models[model].entry.name,
            Source::Supplied => "supplied",
            Source::Default => "default",
        }
    }

    const MARKET: [&str; 2] = ["chip_price_usd", "build_merchant_decline_per_year"];

    #[test]
    fn alternatives_are_taken_in_order() {
        let spend = ["build_spend_usd_per_year"];
        let ratio = ["inference_train_ratio", "train_cost_usd"];
        let demand =
            |more: &[&str]| plan(&[&MARKET[..], more].concat(), "lifetime_inference_usd").expect("enough is known");
        assert_eq!(model_of(&demand(&spend), "build_units_per_year"), "demand_by_spend");
        assert_eq!(model_of(&demand(&ratio), "build_units_per_year"), "demand_by_ratio");
        assert_eq!(model_of(&demand(&[&spend[..], &ratio[..]].concat()), "build_units_per_year"), "demand_by_spend");
        let given = demand(&[&["build_units_per_year"], &spend[..]].concat());
        assert_eq!(model_of(&given, "build_units_per_year"), "supplied");
        assert_eq!(given.steps.len(), 1);
    }

    #[test]
    fn what_is_unknown_is_named_with_every_way_out() {
        let error = plan(&MARKET, "lifetime_inference_usd").expect_err("no demand");
        for name in ["lifetime_inference_usd", "build_spend_usd_per_year"] {
            assert!(error.contains(name), "{name} in: {error}");
        }
        let error = plan(&["die_area_mm2", "die_defect_density_per_cm2"], "die_cost_usd").expect_err("no wafer");
        assert!(error.ends_with("or wafer_price_usd"), "{error}");
        let error = plan(&[], "wafer_price_usd").expect_err("an input");
        assert_eq!(error, "wafer_price_usd can't be computed: give wafer_price_usd");
    }

    #[test]
    fn what_is_unknown_is_named_with_alternatives_further_back() {
        let error = plan(&MARKET, "lifetime_inference_usd").expect_err("no demand");
        for name in ["build_units_per_year", "build_spend_usd_per_year", "inference_train_ratio"] {
            assert!(error.contains(name), "{name} in: {error}");
        }
    }

    #[test]
    fn what_a_caller_may_know_by_itself_is_named_and_not_what_lies_behind_it() {
        let error = plan(&["speed_ratio", "serve_output_tokens"], "speed_seconds_saved").expect_err("no speed");
        assert_eq!(
            error,
            "speed_seconds_saved can't be computed: give speed_seconds_saved, or serve_tokens_per_s_per_user"
        );
    }

    #[test]
    fn a_faster_answer_costs_what_its_line_says_where_there_is_one() {
        let model = registry().models.iter().find(|model| model.entry.name == "speed_serving").expect("a model");
        let of = |more: &[&str]| {
            let known = [model.entry.inputs, more].concat();
            model_of(&plan(&known, "speed_cost_ratio").expect("enough is known"), "speed_cost_ratio")
        };
        assert_eq!(of(&[]), "speed_serving");
        assert_eq!(of(&["speed_limit_tokens_per_s_per_user"]), "speed_line");
    }

    #[test]
    fn a_way_out_that_asks_for_more_is_not_named() {
        let error = plan(&["build_demand_growth_per_year"], "decision").expect_err("no market");
        assert!(error.contains("chip_price_usd") && !error.contains("; or"), "{error}");
        assert!(!error.contains("leverage_") && !error.contains("build_dual_share"), "{error}");
    }

    #[test]
    fn more_options_are_weighed_where_they_are_known() {
        let decided = |known: &[&str]| model_of(&plan(known, "decision").expect("enough is known"), "decision");
        let all = ["build_npv_usd", "build_leverage_usd", "build_dual_npv_usd", "build_threaten_npv_usd"];
        assert_eq!(decided(&all), "four_ways");
        assert_eq!(decided(&[all[0], all[2], all[3]]), "four_ways");
        assert_eq!(decided(&[all[0], all[3]]), "build_buy_or_threaten");
        assert_eq!(decided(&all[..3]), "build_buy_or_both");
        assert_eq!(decided(&all[..2]), "build_or_buy");
    }

    #[test]
    fn a_run_has_its_operations_from_its_size_or_its_size_from_them() {
        let size = ["llm_active_params", "train_tokens"];
        assert_eq!(model_of(&plan(&size, "train_flop").expect("enough is known"), "train_flop"), "training");
        let flop = plan(&["train_flop"], "scaling_loss").expect("enough is known");
        assert_eq!(model_of(&flop, "llm_active_params"), "scaling_by_flop");
        assert_eq!(model_of(&flop, "train_tokens"), "tokens_by_flop");
        let loss = plan(&["scaling_target_loss"], "train_flop").expect("enough is known");
        assert_eq!(model_of(&loss, "llm_active_params"), "scaling_by_loss");
        assert_eq!(model_of(&loss, "train_tokens"), "tokens_by_loss");
        assert_eq!(model_of(&loss, "train_flop"), "training");
        let both = plan(&["train_flop", "scaling_target_loss"], "scaling_loss").expect("enough is known");
        assert_eq!(model_of(&both, "llm_active_params"), "scaling_by_loss");
        let mixed = plan(&["scaling_target_loss", "llm_params"], "train_flop").expect("enough is known");
        assert_eq!(model_of(&mixed, "train_tokens"), "tokens_by_loss");
        // Total parameters alone do not say how many take part in a token.
        let error = plan(&["llm_params", "train_tokens"], "train_flop").expect_err("a mixture of experts?");
        assert_eq!(
            error,
            "train_flop can't be computed: give train_flop, or llm_active_params; or llm_layers, llm_hidden, llm_heads, \
             llm_kv_heads, llm_head_dim, llm_ffn, llm_vocab; or scaling_target_loss"
        );
        let error = plan(&["llm_active_params", "train_tokens"], "llm_params").expect_err("a mixture of experts?");
        assert!(error.starts_with("llm_params can't be computed: give llm_params"), "{error}");
        assert_eq!(model_of(&flop, "scaling_irreducible_loss"), "scaling_coefficients");
        let error = plan(&[], "train_flop").expect_err("nothing is known");
        assert_eq!(error, "train_flop can't be computed: give train_flop, or llm_active_params, train_tokens");
    }

    #[test]
    fn inference_costs_the_same_way_by_tokens_with_and_without_a_chip() {
        let tokens = ["build_tokens_per_month", "serve_usd_per_mtok", "build_merchant_decline_per_year"];
        let alone = plan(&tokens, "lifetime_inference_usd").expect("enough is known");
        assert_eq!(model_of(&alone, "lifetime_inference_usd"), "inference");
        let ratio = ["chip_price_usd", "inference_train_ratio", "train_cost_usd"];
        let chips = plan(&[&tokens[..], &ratio].concat(), "lifetime_inference_usd").expect("enough is known");
        assert_eq!(model_of(&chips, "lifetime_inference_usd"), "demand");
        assert_eq!(model_of(&chips, "build_units_per_year"), "demand_by_tokens");
        assert_eq!(model_of(&chips, "build_demand_cap_units_per_year"), "demand_by_tokens");
        let spend = plan(&[&tokens[..], &ratio, &["build_spend_usd_per_year"]].concat(), "build_units_per_year");
        assert_eq!(model_of(&spend.expect("enough is known"), "build_units_per_year"), "demand_by_spend");
    }

    #[test]
    fn area_alone_gives_sides_and_sides_give_area() {
        let rest = ["wafer_price_usd", "die_defect_density_per_cm2"];
        let area = plan(&[&rest[..], &["die_area_mm2"]].concat(), "die_cost_usd").expect("enough is known");
        assert_eq!(model_of(&area, "die_width_mm"), "die_shape");
        let sides = plan(&["die_width_mm", "die_height_mm"], "die_area_mm2").expect("enough is known");
        assert_eq!(model_of(&sides, "die_area_mm2"), "die");
        // One side and nothing else: area from the sides, the other side from the area.
        let error = plan(&[&rest[..], &["die_width_mm"]].concat(), "die_cost_usd").expect_err("one side is not enough");
        assert!(error.contains("die_area_mm2") || error.contains("die_height_mm"), "{error}");
    }

    #[test]
    fn a_cycle_names_its_variables() {
        let cycle = Unanswerable::Cycle {
            output: id("die_cost_usd"),
            variables: vec![id("die_area_mm2"), id("die_width_mm"), id("die_area_mm2")],
        };
        let text = cycle.text(registry());
        assert_eq!(
            text,
            "die_cost_usd depends on itself: die_area_mm2 from die_width_mm from die_area_mm2; give one of them"
        );
    }

    #[test]
    fn a_key_closes_its_defaults() {
        let run = ["train_chip_hours", "train_chip_price_usd"];
        let open = known(&run);
        let energy = [id("train_energy_usd")];
        assert_eq!(model_of(&Plan::new(&open, &energy).expect("a default"), "train_chip_tdp_w"), "default");
        let closed = Known { closed: [id("train_chip_tdp_w")].into(), ..open };
        let error = Plan::new(&closed, &energy).expect_err("the entry lacks it").text(registry());
        assert_eq!(error, "train_energy_usd can't be computed: give train_energy_usd, or train_chip_tdp_w");
    }

    #[test]
    fn a_given_output_cuts_what_lies_before_it() {
        let plan = plan(&["die_yield", "die_gross_per_wafer", "die_sellable_yield", "wafer_price_usd"], "die_cost_usd");
        let plan = plan.expect("nothing else is read");
        assert!(!plan.sources.contains_key(&id("die_defect_density_per_cm2")));
        assert!(!plan.sources.contains_key(&id("die_area_mm2")));
    }

    #[test]
    fn only_what_is_asked_for_runs() {
        let plan = plan(&["train_chip_hours", "train_chip_tdp_w"], "train_energy_usd").expect("enough is known");
        assert_eq!(plan.steps.len(), 1);
        assert_eq!(plan.steps[0].wanted.count_ones(), 1);
    }

    fn contradiction(change: impl FnOnce(&mut Vec<Entry>)) -> String {
        let mut models = MODELS.clone();
        change(&mut models);
        let models: &'static [Entry] = models.leak();
        let caught = std::panic::catch_unwind(|| Registry::new(models)).err().expect("a contradiction");
        caught.downcast_ref::<String>().cloned().expect("a text")
    }
    fn changed(variables: &[Variable], change: impl FnOnce(&mut Vec<Variable>)) -> &'static [Variable] {
        let mut variables = variables.to_vec();
        change(&mut variables);
        variables.leak()
    }
    fn place(models: &[Entry], name: &str) -> usize {
        models.iter().position(|model| model.name == name).expect("a model")
    }

    #[test]
    fn contradictory_registries_are_refused_by_name() {
        let text = contradiction(|models| models.push(models[place(models, "decline")]));
        assert!(text.contains("two models compute decline_total"), "{text}");

        let text = contradiction(|models| {
            let die = place(models, "die");
            models[die].outputs = changed(models[die].outputs, |outputs| outputs[0].unit = "cm2");
            models.push(Entry {
                name: "other",
                outputs: changed(MODELS[die].outputs, |outputs| outputs.truncate(1)),
                ..models[die]
            });
        });
        assert!(text.contains("die_area_mm2 is declared by die and otherwise by other"), "{text}");

        let text = contradiction(|models| models[0].inputs = &["nobodys_number"]);
        assert!(text.contains("reads nobodys_number, which no model declares"), "{text}");

        let text = contradiction(|models| models[0].name = "die_area_mm2");
        assert!(text.contains("die_area_mm2 is a model and a variable"), "{text}");

        let text = contradiction(|models| {
            let decline = place(models, "decline");
            models[decline].outputs =
                changed(models[decline].outputs, |outputs| outputs[0] = outputs[0].with_default(1.0, "nowhere"));
            models[decline].owned =
                changed(models[decline].owned, |owned| owned.iter_mut().for_each(|input| input.default = 1.0));
        });
        assert!(text.contains("would compute decline_total from defaults alone"), "{text}");
    }

    #[test]
    fn summaries_feed_nothing() {
        for (m, model) in registry().models.iter().enumerate() {
            for &input in &model.inputs {
                assert!(
                    registry().variables[input].role != Role::Summary,
                    "{} reads a summary",
                    registry().models[m].entry.name
                );
            }
        }
    }
}
