//! What is asked: columns and keys as the caller has them, and rows grouped by what is known of them.

use crate::plan::{self, Known, Unanswerable, VariableId, registry};
use crate::solve::{self, Search};
use crate::variable::{Kind, Role};
use fearless_simd::Level;
use std::collections::{BTreeSet, HashMap};

/// The element type of a caller's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    F64,
    F32,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
}

/// A caller's column: where it is and how to step through it.
#[derive(Clone, Copy, Debug)]
pub struct View {
    pub element: Element,
    pub at: *const u8,
    pub stride: isize,
}
// SAFETY: read only, and the caller keeps the column alive for the length of the call.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// # Safety
    /// `row` must be a row of the column.
    #[inline]
    pub unsafe fn read(&self, row: usize) -> f64 {
        // SAFETY: the caller's promise.
        unsafe {
            #[expect(clippy::cast_possible_wrap, reason = "rows lie in memory, which ends before isize does")]
            let at = self.at.offset(row as isize * self.stride);
            match self.element {
                Element::F64 => at.cast::<f64>().read_unaligned(),
                Element::F32 => f64::from(at.cast::<f32>().read_unaligned()),
                Element::I64 => at.cast::<i64>().read_unaligned() as f64,
                Element::I32 => f64::from(at.cast::<i32>().read_unaligned()),
                Element::I16 => f64::from(at.cast::<i16>().read_unaligned()),
                Element::I8 => f64::from(at.cast::<i8>().read_unaligned()),
                Element::U64 => at.cast::<u64>().read_unaligned() as f64,
                Element::U32 => f64::from(at.cast::<u32>().read_unaligned()),
                Element::U16 => f64::from(at.cast::<u16>().read_unaligned()),
                Element::U8 => f64::from(at.read()),
            }
        }
    }
    /// The address of contiguous, aligned numbers.
    pub fn in_place(&self) -> Option<*const f64> {
        #[expect(clippy::cast_ptr_alignment, reason = "alignment is looked at before use")]
        let at = self.at.cast::<f64>();
        (self.element == Element::F64 && self.stride == 8 && at.is_aligned()).then_some(at)
    }
}

/// A column with its nulls: one byte a row, 1 where there is no value.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub values: View,
    pub nulls: Option<View>,
}

impl Column {
    pub fn is_null(&self, row: usize) -> bool {
        // SAFETY: rows are below the length every column was checked to have.
        self.nulls.is_some_and(|nulls| unsafe { nulls.read(row) } != 0.0)
    }
    pub fn value(&self, row: usize) -> f64 {
        // SAFETY: as above.
        unsafe { self.values.read(row) }
    }
}

/// A key column: for each row the position of an entry, and what the entries say.
#[derive(Clone)]
pub struct Key {
    pub codes: KeyCodes,
    /// For each variable of the catalog the entries' values; NaN where an entry has none.
    pub fields: Vec<(VariableId, Vec<f64>)>,
}

#[derive(Clone)]
pub enum KeyCodes {
    Column(Column),
    All(usize),
}

impl Key {
    /// What the entry of a row says of a variable.
    pub fn value(&self, id: VariableId, row: usize) -> Option<f64> {
        let code = self.code(row)?;
        self.fields.iter().find(|field| field.0 == id).map(|field| field.1[code]).filter(|value| !value.is_nan())
    }
    pub fn code(&self, row: usize) -> Option<usize> {
        match &self.codes {
            KeyCodes::All(code) => Some(*code),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position in a table")]
            KeyCodes::Column(column) => (!column.is_null(row)).then(|| column.value(row) as usize),
        }
    }
}

/// What is asked.
#[derive(Clone)]
pub struct Request {
    pub rows: usize,
    pub columns: HashMap<VariableId, Column>,
    pub assumptions: HashMap<VariableId, f64>,
    pub keys: Vec<Key>,
    pub outputs: Vec<VariableId>,
    pub further: Further,
}

/// What is found out beyond the outputs, block by block; its results follow theirs.
#[derive(Clone)]
pub enum Further {
    Nothing,
    /// Derivatives of every output by each variable, or x / y times these.
    Gradient {
        by: Vec<VariableId>,
        elasticities: bool,
    },
    /// Where the only output equals a number.
    Solve(Search),
}

/// How to compute.
#[derive(Clone, Copy)]
pub struct Settings {
    pub level: Level,
    pub threads: usize,
    /// Nulls instead of stopping at rows that can't be used.
    pub null_invalid: bool,
    pub block: usize,
}

/// Values of a column that can't be used.
#[derive(Clone, Debug)]
pub struct BadColumn {
    pub variable: VariableId,
    pub count: usize,
    pub row: usize,
    pub value: f64,
}

/// Rows that can't be answered.
#[derive(Clone, Debug)]
pub struct BadRows {
    pub why: Unanswerable,
    pub count: usize,
    pub row: usize,
}

pub struct Answer {
    pub outputs: Vec<Vec<f64>>,
    /// For each output a number a row, 1 for null, where any row is null.
    pub nulls: Vec<Option<Vec<u16>>>,
    pub bad_columns: Vec<BadColumn>,
    pub bad_rows: Vec<BadRows>,
    /// Why a row was nulled: 0 for none, v + 1 for variable v, then the unanswerable patterns.
    pub reasons: Option<Vec<u16>>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Stopped {
    OutOfMemory,
    Interrupted,
}

/// Rows with the same things known.
pub struct Pattern {
    pub known: Known,
    pub keys: Vec<usize>,
    pub count: usize,
    pub first: usize,
    pub columns: BTreeSet<VariableId>,
}

/// The patterns of a frame and, if there are several, its rows in their order.
pub struct Patterns {
    pub patterns: Vec<Pattern>,
    pub rows: Vec<u32>,
}

/// What can differ from row to row.
enum Varies {
    Present(VariableId),
    Choice(VariableId),
    Key(usize),
}

impl Request {
    pub fn is_choice(id: VariableId) -> bool {
        let variable = &registry().variables[id];
        variable.role == Role::Input && matches!(variable.kind, Kind::Choice | Kind::Boolean)
    }

    /// Columns of an answer.
    pub fn results(&self) -> usize {
        self.outputs.len()
            + match &self.further {
                Further::Nothing => 0,
                Further::Gradient { by, .. } => by.len() * self.outputs.len(),
                Further::Solve(_) => solve::RESULTS,
            }
    }

    /// Groups the rows by what is known of them.
    ///
    /// # Errors
    /// Where memory is short.
    pub fn patterns(&self) -> Result<Patterns, Stopped> {
        /// Of a group that no row has been found in.
        const UNMET: u32 = u32::MAX;
        let reach = plan::reach(&self.outputs);
        let mut varies = Vec::new();
        for &id in &*reach {
            if let Some(column) = self.columns.get(&id) {
                if Self::is_choice(id) {
                    varies.push(Varies::Choice(id));
                } else if column.nulls.is_some() {
                    varies.push(Varies::Present(id));
                }
            }
        }
        // An entry counts by which of its numbers it has.
        let mut classes: Vec<Vec<usize>> = Vec::new();
        for (k, key) in self.keys.iter().enumerate() {
            let entries = key.fields.first().map_or(0, |field| field.1.len());
            let mut seen: HashMap<Vec<bool>, usize> = HashMap::new();
            classes.push(
                (0..entries)
                    .map(|entry| {
                        let has =
                            key.fields.iter().filter(|f| reach.contains(&f.0)).map(|f| !f.1[entry].is_nan()).collect();
                        let next = seen.len();
                        *seen.entry(has).or_insert(next)
                    })
                    .collect(),
            );
            if matches!(key.codes, KeyCodes::Column(_)) && key.fields.iter().any(|field| reach.contains(&field.0)) {
                varies.push(Varies::Key(k));
            }
        }

        let feature = |varying: &Varies, row: usize| -> u32 {
            match varying {
                Varies::Present(id) => u32::from(self.columns[id].is_null(row)),
                Varies::Choice(id) => {
                    let column = &self.columns[id];
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small code")]
                    if column.is_null(row) { 0 } else { column.value(row) as u32 + 1 }
                }
                #[expect(clippy::cast_possible_truncation, reason = "few classes")]
                Varies::Key(k) => self.keys[*k].code(row).map_or(0, |code| classes[*k][code] as u32 + 1),
            }
        };
        let mut group: Vec<u32> = Vec::new();
        let mut firsts = vec![0_usize];
        let mut counts = vec![self.rows];
        if !varies.is_empty() && self.rows > 0 {
            group.try_reserve_exact(self.rows).map_err(|_| Stopped::OutOfMemory)?;
            group.resize(self.rows, 0);
            for varying in &varies {
                let kinds = match varying {
                    Varies::Present(_) => 2,
                    Varies::Choice(id) => registry().variables[*id].choices.len().max(2) + 1,
                    Varies::Key(k) => self.keys[*k].fields.first().map_or(0, |field| field.1.len()) + 1,
                };
                // For each group so far and each kind its number, in the order in which they are met.
                let mut numbers = vec![UNMET; firsts.len() * kinds];
                firsts.clear();
                counts.clear();
                for (row, group) in group.iter_mut().enumerate() {
                    let number = &mut numbers[*group as usize * kinds + feature(varying, row) as usize];
                    if *number == UNMET {
                        #[expect(clippy::cast_possible_truncation, reason = "at most one a row")]
                        let next = firsts.len() as u32;
                        *number = next;
                        firsts.push(row);
                        counts.push(0);
                    }
                    counts[*number as usize] += 1;
                    *group = *number;
                }
            }
        }
        let mut rows = Vec::new();
        if firsts.len() > 1 {
            rows.try_reserve_exact(self.rows).map_err(|_| Stopped::OutOfMemory)?;
            rows.resize(self.rows, 0_u32);
            let mut next: Vec<usize> = counts
                .iter()
                .scan(0, |start, count| {
                    let at = *start;
                    *start += count;
                    Some(at)
                })
                .collect();
            for (row, group) in group.iter().enumerate() {
                let at = &mut next[*group as usize];
                #[expect(clippy::cast_possible_truncation, reason = "frames are cut below 2^32 rows")]
                let number = row as u32;
                rows[*at] = number;
                *at += 1;
            }
        }
        let patterns = firsts.iter().zip(&counts).map(|(&first, &count)| self.pattern(&reach, first, count)).collect();
        Ok(Patterns { patterns, rows })
    }

    /// What is known of the rows like `row`.
    fn pattern(&self, reach: &BTreeSet<VariableId>, row: usize, count: usize) -> Pattern {
        let mut known = Known::default();
        let mut columns = BTreeSet::new();
        let mut keys = Vec::new();
        for (k, key) in self.keys.iter().enumerate() {
            let code = if self.rows == 0 && matches!(key.codes, KeyCodes::Column(_)) { None } else { key.code(row) };
            if let Some(code) = code {
                keys.push(k);
                for (id, values) in &key.fields {
                    known.closed.insert(*id);
                    if !values[code].is_nan() {
                        known.supplied.insert(*id);
                    }
                }
            }
        }
        known.supplied.extend(self.assumptions.keys());
        for (id, column) in &self.columns {
            if self.rows == 0 || !column.is_null(row) {
                known.supplied.insert(*id);
                columns.insert(*id);
            }
        }
        known.supplied.retain(|id| reach.contains(id) && !Self::is_choice(*id));
        known.closed.retain(|id| reach.contains(id));
        for &id in reach {
            if Self::is_choice(id) {
                let given = |id: &VariableId| match self.columns.get(id) {
                    Some(column) if self.rows > 0 && !column.is_null(row) => Some(column.value(row)),
                    _ => self.assumptions.get(id).copied(),
                };
                let own = given(&id);
                let other = registry().follows.get(&id).and_then(given).filter(|_| own.is_none());
                if other.is_some() {
                    known.as_other.insert(id);
                }
                let value = own.or(other).unwrap_or(registry().variables[id].default);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small code")]
                known.choices.push((id, value as u8));
            }
        }
        Pattern { known, keys, count, first: row, columns }
    }

    /// Where a supplied variable's values are.
    pub fn supply(&self, id: VariableId, pattern: &Pattern) -> Supply {
        if pattern.columns.contains(&id) {
            return Supply::Column(self.columns[&id].values);
        }
        if let Some(value) = self.assumptions.get(&id) {
            return Supply::Constant(*value);
        }
        for &k in &pattern.keys {
            for (f, (field, values)) in self.keys[k].fields.iter().enumerate() {
                let code = self.keys[k].code(pattern.first);
                if *field == id && code.is_some_and(|code| !values[code].is_nan()) {
                    return match self.keys[k].codes {
                        KeyCodes::All(code) => Supply::Constant(values[code]),
                        KeyCodes::Column(_) => Supply::Entry(k, f),
                    };
                }
            }
        }
        Supply::Constant(registry().variables[id].default)
    }
}

/// Where the values of a variable that is not computed are.
#[derive(Clone, Copy, Debug)]
pub enum Supply {
    Column(View),
    Constant(f64),
    /// A key and the position of the field.
    Entry(usize, usize),
}
