//! A thread's memory for blocks of rows: every variable of a plan has its place.

use crate::gradient::Downstream;
use crate::kernel::{BLOCK, Call, Rows, Sorting, run, within};
use crate::memory::Marks;
use crate::number::LANES;
use crate::plan::{Known, Plan, Source, Step, VariableId, registry};
use crate::request::{BadColumn, Column, Further, Pattern, Request, Settings, Supply};
use crate::variable::Kind;
use fearless_simd::Level;
use std::collections::{BTreeMap, HashMap};
use std::ptr::{null, null_mut};
use std::sync::Arc;

/// A plan with every variable's place in the arena.
pub struct Layout {
    pub plan: Arc<Plan>,
    pub slots: HashMap<VariableId, usize>,
    pub variables: Vec<VariableId>,
    supplies: Vec<Option<Supply>>,
    /// Runs whose inputs are all constant come first, in their own list.
    pub constant_steps: Vec<usize>,
    pub steps: Vec<usize>,
    /// For each run the places of its variables.
    places: Vec<Places>,
    /// Whether rows are put in order for any of `steps`.
    pub ordered: bool,
    is_constant: Vec<bool>,
    /// Places of the outputs, then those of what is found out further.
    pub outputs: Vec<usize>,
    /// Whether a model writes the output, and to no other one before.
    written: Vec<bool>,
    /// What moves with each variable that is differentiated by or solved for.
    pub directions: Vec<Downstream>,
}

impl Layout {
    pub fn new(plan: Arc<Plan>, request: &Request, pattern: &Pattern) -> Layout {
        let mut layout = Layout {
            plan,
            slots: HashMap::new(),
            variables: Vec::new(),
            supplies: Vec::new(),
            constant_steps: Vec::new(),
            steps: Vec::new(),
            places: Vec::new(),
            ordered: false,
            is_constant: Vec::new(),
            outputs: Vec::new(),
            written: Vec::new(),
            directions: Vec::new(),
        };
        let sources: BTreeMap<VariableId, Source> =
            layout.plan.sources.iter().map(|(id, source)| (*id, *source)).collect();
        for (id, source) in sources {
            let supply = match source {
                Source::Model(..) => None,
                Source::Default => Some(Supply::Constant(default_of(id, &pattern.known))),
                Source::Supplied => Some(request.supply(id, pattern)),
            };
            layout.slots.insert(id, layout.variables.len());
            layout.is_constant.push(matches!(supply, Some(Supply::Constant(_))));
            layout.variables.push(id);
            layout.supplies.push(supply);
        }
        let plan = layout.plan.clone();
        for (s, step) in plan.steps.iter().enumerate() {
            let constant =
                step.needs.iter().all(|(_, reads)| reads.iter().all(|id| layout.is_constant[layout.slots[id]]));
            layout.places.push(Places::new(&layout, step));
            if constant {
                layout.constant_steps.push(s);
                for (id, _) in &step.needs {
                    layout.is_constant[layout.slots[id]] = true;
                }
            } else {
                layout.steps.push(s);
                layout.ordered |= layout.is_ordered(s);
            }
        }
        layout.directions = match &request.further {
            Further::Nothing => Vec::new(),
            Further::Gradient { by, .. } => by.iter().map(|id| Downstream::new(&layout, *id)).collect(),
            Further::Solve(search) => vec![Downstream::new(&layout, search.variable)],
        };
        let first = layout.variables.len();
        let further = first..first + request.results() - request.outputs.len();
        layout.outputs = request.outputs.iter().map(|id| layout.slots[id]).chain(further).collect();
        let before = |o: usize| &layout.outputs[..o];
        let computed = |slot: usize| slot < layout.variables.len() && layout.supplies[slot].is_none();
        layout.written = (layout.outputs.iter().enumerate())
            .map(|(o, slot)| computed(*slot) && !layout.is_constant[*slot] && !before(o).contains(slot))
            .collect();
        layout
    }

    pub fn is_ordered(&self, step: usize) -> bool {
        !registry().models[self.plan.steps[step].model].together.is_empty()
    }
}

fn default_of(id: VariableId, known: &Known) -> f64 {
    known
        .choices
        .iter()
        .find(|choice| choice.0 == id)
        .map_or(registry().variables[id].default, |choice| f64::from(choice.1))
}

/// One thread's memory: a block of every variable, its nulls, and where each block's values are.
pub struct Arena {
    pub blocks: Vec<Rows>,
    pub nulls: Vec<[u8; BLOCK]>,
    pub has_nulls: Vec<bool>,
    pub at: Vec<*mut f64>,
    pub invalid: [u16; BLOCK],
    /// A constant out of bounds, which spoils every row.
    pub spoilt: Option<VariableId>,
    level: Level,
    /// The derivative of every variable by the one of a direction.
    pub tangents: Vec<Rows>,
    addresses: Addresses,
    addresses_of_tangents: Addresses,
    sorting: Sorting,
    /// The next block of columns that are read in place, until a model fetches it.
    soon: Vec<*const [f64; LANES]>,
}

/// The places of one run's variables, in the order of the model's declaration.
struct Places {
    /// None: an input without a place, which no wanted output reads.
    inputs: Vec<Option<usize>>,
    /// A bit for each input that is the same on all rows.
    constant: u128,
    /// Where a given output is; None: one without a place.
    given: Vec<Option<usize>>,
    /// None: an output that is not wanted.
    outputs: Vec<Option<usize>>,
    /// For each wanted output its variable, its place, and the places of what it reads.
    needs: Vec<(VariableId, usize, Vec<usize>)>,
}

impl Places {
    fn new(layout: &Layout, step: &Step) -> Places {
        let model = &registry().models[step.model];
        let place = |id: &VariableId| layout.slots.get(id).copied();
        let outputs = model.outputs.iter().enumerate();
        Places {
            inputs: model.inputs.iter().map(place).collect(),
            constant: (model.inputs.iter().enumerate())
                .filter(|(_, id)| place(id).is_none_or(|slot| layout.is_constant[slot]))
                .fold(0, |bits, (k, _)| bits | 1 << k),
            given: model.outputs.iter().map(place).collect(),
            outputs: outputs.map(|(k, id)| place(id).filter(|_| step.wanted >> k & 1 == 1)).collect(),
            needs: (step.needs.iter())
                .map(|(id, reads)| (*id, layout.slots[id], reads.iter().map(|read| layout.slots[read]).collect()))
                .collect(),
        }
    }
}

/// Where one run of a model finds a block of each of its variables.
#[derive(Default)]
struct Addresses {
    inputs: Vec<*const [f64; LANES]>,
    constant: u128,
    given: Vec<*const [f64; LANES]>,
    outputs: Vec<*mut [f64; LANES]>,
}

impl Addresses {
    /// The blocks of places to read and to write. `unread`: that of an input without one.
    fn fill(
        &mut self,
        places: &Places,
        given: u64,
        unread: &'static Rows,
        from: impl Fn(usize) -> *const f64,
        to: impl Fn(usize) -> *mut f64,
    ) {
        let read = |place: &Option<usize>| place.map_or(unread.as_ptr(), &from).cast();
        let is_given = |k: usize| given >> k & 1 == 1;
        self.inputs.clear();
        self.inputs.extend(places.inputs.iter().map(read));
        self.constant = places.constant;
        self.given.clear();
        let given = places.given.iter().enumerate().map(|(k, place)| if is_given(k) { read(place) } else { null() });
        self.given.extend(given);
        self.outputs.clear();
        self.outputs.extend(places.outputs.iter().map(|place| place.map_or(null_mut(), &to).cast()));
    }
    fn call<'a>(&'a self, step: &'a Step, rows: usize, soon: &'a [*const [f64; LANES]]) -> Call<'a> {
        Call {
            inputs: &self.inputs,
            constant: self.constant,
            given: &self.given,
            outputs: &self.outputs,
            choices: &step.choices,
            wanted: step.wanted,
            packs: rows.div_ceil(LANES),
            soon,
        }
    }
}

/// Where results go. Tasks write disjoint rows.
pub struct Target<'a> {
    pub outputs: &'a [*mut f64],
    pub nulls: Vec<Marks>,
    pub reasons: Option<Marks>,
}
// SAFETY: tasks write disjoint rows.
unsafe impl Send for Target<'_> {}
// SAFETY: as above.
unsafe impl Sync for Target<'_> {}

/// What a task found wrong.
#[derive(Default)]
pub struct Found {
    pub columns: BTreeMap<VariableId, BadColumn>,
}

impl Found {
    fn note(&mut self, variable: VariableId, row: usize, value: f64) {
        let bad = self.columns.entry(variable).or_insert(BadColumn { variable, count: 0, row, value });
        bad.count += 1;
        if row < bad.row {
            bad.row = row;
            bad.value = value;
        }
    }
    pub fn merge(&mut self, other: Found) {
        for (id, bad) in other.columns {
            match self.columns.get_mut(&id) {
                None => {
                    self.columns.insert(id, bad);
                }
                Some(mine) => {
                    mine.count += bad.count;
                    if bad.row < mine.row {
                        mine.row = bad.row;
                        mine.value = bad.value;
                    }
                }
            }
        }
    }
}

/// The rows of a task or block: a stretch of the frame, or of its rows in the order of patterns.
#[derive(Clone, Copy)]
pub enum RowsOf<'a> {
    Stretch(usize),
    Listed(&'a [u32]),
}

impl<'a> RowsOf<'a> {
    pub fn part(self, from: usize, count: usize) -> RowsOf<'a> {
        match self {
            RowsOf::Stretch(start) => RowsOf::Stretch(start + from),
            RowsOf::Listed(rows) => RowsOf::Listed(&rows[from..from + count]),
        }
    }
    #[inline]
    pub fn row(self, i: usize) -> usize {
        match self {
            RowsOf::Stretch(start) => start + i,
            RowsOf::Listed(rows) => rows[i] as usize,
        }
    }
}

// SAFETY: the addresses are those of its own blocks, of constants of an arena that goes with it, and of columns and outputs
// that outlive all tasks.
unsafe impl Send for Arena {}

impl Arena {
    fn empty(layout: &Layout, level: Level) -> Arena {
        let variables = layout.variables.len();
        let slots = variables + layout.outputs.iter().filter(|slot| **slot >= variables).count();
        let mut arena = Arena {
            blocks: vec![Rows::all(0.0); slots],
            nulls: vec![[0; BLOCK]; slots],
            has_nulls: vec![false; slots],
            at: Vec::new(),
            invalid: [0; BLOCK],
            spoilt: None,
            level,
            tangents: vec![Rows::all(0.0); if layout.directions.is_empty() { 0 } else { variables }],
            addresses: Addresses::default(),
            addresses_of_tangents: Addresses::default(),
            sorting: Sorting::default(),
            soon: Vec::new(),
        };
        arena.at = arena.blocks.iter_mut().map(|block| block.as_mut_ptr()).collect();
        arena
    }

    pub fn new(layout: &Layout, settings: &Settings, bad: &mut Found) -> Arena {
        let mut arena = Arena::empty(layout, settings.level);
        for (slot, supply) in layout.supplies.iter().enumerate() {
            if let Some(Supply::Constant(value)) = supply {
                let variable = &registry().variables[layout.variables[slot]];
                let usable = variable.allows(*value);
                if !usable {
                    bad.note(layout.variables[slot], 0, *value);
                    arena.spoilt = arena.spoilt.or(Some(layout.variables[slot]));
                }
                arena.blocks[slot].fill(if usable { *value } else { variable.safe_value() });
            }
        }
        for &step in &layout.constant_steps {
            arena.step(layout, step, settings.level, BLOCK);
        }
        arena
    }

    /// Memory for one more block, with the constants of `first`.
    pub fn beside(first: &Arena, layout: &Layout) -> Arena {
        let mut arena = Arena::empty(layout, first.level);
        arena.spoilt = first.spoilt;
        for slot in (0..layout.variables.len()).filter(|slot| layout.is_constant[*slot]) {
            arena.at[slot] = first.at[slot];
            arena.has_nulls[slot] = first.has_nulls[slot];
            arena.nulls[slot] = first.nulls[slot];
        }
        arena
    }

    /// Runs one model on the block and marks its nulls.
    pub fn step(&mut self, layout: &Layout, step: usize, level: Level, rows: usize) {
        self.address(layout, step);
        let run_of = &layout.plan.steps[step];
        let call = self.addresses.call(run_of, rows, &self.soon);
        run(&registry().models[run_of.model], level, &[call], &mut self.sorting);
        self.mark(layout, step, level, rows);
    }

    /// Runs one model on several blocks, with their rows in one order.
    pub fn step_together(arenas: &mut [Arena], layout: &Layout, step: usize, level: Level, rows: &[usize]) {
        for arena in arenas.iter_mut() {
            arena.address(layout, step);
        }
        let mut sorting = std::mem::take(&mut arenas[0].sorting);
        let run_of = &layout.plan.steps[step];
        let calls: Vec<_> =
            arenas.iter().zip(rows).map(|(arena, rows)| arena.addresses.call(run_of, *rows, &arena.soon)).collect();
        run(&registry().models[run_of.model], level, &calls, &mut sorting);
        arenas[0].sorting = sorting;
        for (arena, rows) in arenas.iter_mut().zip(rows) {
            arena.mark(layout, step, level, *rows);
        }
    }

    /// Notes where a run finds its variables.
    fn address(&mut self, layout: &Layout, step: usize) {
        let given = layout.plan.steps[step].given;
        self.addresses.fill(&layout.places[step], given, &UNREAD, |slot| self.at[slot], |slot| self.at[slot]);
    }

    /// Marks the nulls of what a run has written.
    fn mark(&mut self, layout: &Layout, step: usize, level: Level, rows: usize) {
        self.soon.clear();
        for (id, slot, reads) in &layout.places[step].needs {
            let slot = *slot;
            self.has_nulls[slot] = false;
            // SAFETY: the address is that of a block, or of rows of an output at least as many.
            let values = unsafe { std::slice::from_raw_parts_mut(self.at[slot], rows) };
            let impossible = !within(level, values, f64::NEG_INFINITY, f64::INFINITY);
            let inherits = reads.iter().any(|read| self.has_nulls[*read]);
            if !impossible && !inherits {
                continue;
            }
            let mut nulls = [0; BLOCK];
            for (null, value) in nulls.iter_mut().zip(&*values) {
                *null = u8::from(value.is_nan());
            }
            for read in reads {
                if self.has_nulls[*read] {
                    for (null, other) in nulls.iter_mut().zip(&self.nulls[*read]) {
                        *null |= other;
                    }
                }
            }
            let safe = registry().variables[*id].safe_value();
            for (value, null) in values.iter_mut().zip(&nulls) {
                if *null != 0 {
                    *value = safe;
                }
            }
            self.nulls[slot] = nulls;
            self.has_nulls[slot] = true;
        }
    }

    /// Runs one model in dual numbers: derivatives of what `moves`, from `tangents` to `tangents`. What is constant is looked
    /// at on one row.
    pub fn step_dual(&mut self, layout: &Layout, step: usize, moves: &[bool], rows: usize) {
        let constant = layout.constant_steps.contains(&step);
        self.address(layout, step);
        let places = &layout.places[step];
        let step = &layout.plan.steps[step];
        let tangents: Vec<*mut f64> = self.tangents.iter_mut().map(|block| block.as_mut_ptr()).collect();
        let still = STILL.as_ptr();
        let from = |slot: usize| if moves[slot] { tangents[slot].cast_const() } else { still };
        self.addresses_of_tangents.fill(places, step.given, &STILL, from, |slot| tangents[slot]);
        let run = registry().models[step.model].entry.run_dual;
        let (values, derivatives) =
            (self.addresses.call(step, rows, &[]), self.addresses_of_tangents.call(step, rows, &[]));
        run(&values, &derivatives, if constant { 1 } else { rows });
        if constant {
            for (_, slot, _) in &places.needs {
                let block = &mut self.tangents[*slot];
                let only = block[0];
                block.fill(only);
            }
        }
    }

    /// Brings the supplied values of a block in, each checked against its declaration. `more`: another block follows.
    pub fn load(
        &mut self,
        layout: &Layout,
        request: &Request,
        rows_of: RowsOf,
        rows: usize,
        more: bool,
        found: &mut Found,
    ) {
        self.invalid = [0; BLOCK];
        self.soon.clear();
        for (slot, supply) in layout.supplies.iter().enumerate() {
            let view = match supply {
                None | Some(Supply::Constant(_)) => continue,
                Some(Supply::Column(view)) => Some(*view),
                Some(Supply::Entry(..)) => None,
            };
            let id = layout.variables[slot];
            let variable = &registry().variables[id];
            let block = self.blocks[slot].as_mut_ptr();
            let in_place = match (view, rows_of) {
                (Some(view), RowsOf::Stretch(start)) if rows.is_multiple_of(LANES) => {
                    // SAFETY: within the column.
                    view.in_place().map(|at| unsafe { at.add(start) })
                }
                _ => None,
            };
            if let Some(at) = in_place {
                self.at[slot] = at.cast_mut();
                if more {
                    self.soon.push(at.wrapping_add(rows).cast());
                }
            } else {
                self.at[slot] = block;
                let values = &mut self.blocks[slot];
                let places = values[..rows].iter_mut().enumerate();
                match (view, supply) {
                    (Some(view), _) => match (view.in_place(), rows_of) {
                        // SAFETY: within the column.
                        (Some(at), RowsOf::Listed(rows)) => unsafe {
                            places.for_each(|(i, value)| *value = at.add(rows[i] as usize).read());
                        },
                        // SAFETY: within the column.
                        _ => unsafe { places.for_each(|(i, value)| *value = view.read(rows_of.row(i))) },
                    },
                    (None, Some(Supply::Entry(key, field))) => {
                        let key = &request.keys[*key];
                        let entries = &key.fields[*field].1;
                        places.for_each(|(i, value)| {
                            *value = key.code(rows_of.row(i)).map_or(f64::NAN, |code| entries[code]);
                        });
                    }
                    _ => unreachable!("constants are not loaded"),
                }
                let last = values[rows - 1];
                values[rows..rows.next_multiple_of(LANES)].fill(last);
            }
            // SAFETY: a block, or rows of the caller's column.
            let values = unsafe { std::slice::from_raw_parts(self.at[slot].cast_const(), rows) };
            let (low, high) = (variable.low, variable.high);
            let whole = variable.kind != Kind::Number;
            let inside = within(self.level, values, low, high);
            if inside && (!whole || values.iter().all(|value| variable.allows(*value))) {
                continue;
            }
            let safe = variable.safe_value();
            let copy: Vec<f64> = values.to_vec();
            self.at[slot] = block;
            for (i, value) in copy.iter().enumerate() {
                let allowed = variable.allows(*value);
                self.blocks[slot][i] = if allowed { *value } else { safe };
                if !allowed {
                    found.note(id, rows_of.row(i), *value);
                    if self.invalid[i] == 0 {
                        self.invalid[i] = u16::try_from(id + 1).unwrap_or(u16::MAX);
                    }
                }
            }
            self.blocks[slot][rows..].fill(safe);
        }
    }

    /// Checks a block of a column that no equation reads.
    pub fn check(&mut self, id: VariableId, column: &Column, rows_of: RowsOf, rows: usize, found: &mut Found) {
        let variable = &registry().variables[id];
        for i in 0..rows {
            let row = rows_of.row(i);
            let value = column.value(row);
            if !variable.allows(value) && !column.is_null(row) {
                found.note(id, row, value);
                if self.invalid[i] == 0 {
                    self.invalid[i] = u16::try_from(id + 1).unwrap_or(u16::MAX);
                }
            }
        }
    }

    /// Lets models write a block's outputs where they belong.
    pub fn aim(&mut self, layout: &Layout, target: &Target, rows_of: RowsOf, rows: usize) {
        for (o, &slot) in layout.outputs.iter().enumerate().filter(|(o, _)| layout.written[*o]) {
            self.at[slot] = match rows_of {
                // SAFETY: within the output.
                RowsOf::Stretch(start) if rows.is_multiple_of(LANES) => unsafe { target.outputs[o].add(start) },
                _ => self.blocks[slot].as_mut_ptr(),
            };
        }
    }

    /// Writes to their rows what of a block's answers is not there yet, and the nulls.
    pub fn store(&mut self, layout: &Layout, target: &Target, rows_of: RowsOf, rows: usize) {
        let any_invalid = self.invalid[..rows].iter().any(|reason| *reason != 0);
        for (o, &slot) in layout.outputs.iter().enumerate() {
            let output = target.outputs[o];
            let source = self.at[slot].cast_const();
            // SAFETY: within the block and the output, which overlap only where they are the same.
            unsafe {
                match rows_of {
                    RowsOf::Stretch(start) => {
                        let output = output.add(start);
                        if !std::ptr::eq(output, source) {
                            std::ptr::copy_nonoverlapping(source, output, rows);
                        }
                    }
                    RowsOf::Listed(listed) => {
                        for (i, row) in listed.iter().enumerate() {
                            output.add(*row as usize).write(source.add(i).read());
                        }
                    }
                }
            }
            if self.has_nulls[slot] || any_invalid {
                for i in 0..rows {
                    if (self.has_nulls[slot] && self.nulls[slot][i] != 0) || self.invalid[i] != 0 {
                        target.nulls[o].set(rows_of.row(i), 1);
                    }
                }
            }
        }
        if let (true, Some(reasons)) = (any_invalid, &target.reasons) {
            for i in (0..rows).filter(|i| self.invalid[*i] != 0) {
                reasons.set(rows_of.row(i), self.invalid[i]);
            }
        }
    }
}

/// What an input no wanted output reads is taken from: should one read it all the same, its answer is null and not wrong.
static UNREAD: Rows = Rows::all(f64::NAN);
/// The derivatives of what does not move.
static STILL: Rows = Rows::all(0.0);
