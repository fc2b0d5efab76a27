//! Blocks of rows through a plan, on all cores. Knows no model.
//!
//! A block is 512 rows: every intermediate stays in cache, and what is constant over the frame is computed once, by the same
//! code. Rows of one pattern run together; where there is only one pattern, columns are read and outputs written in place.

use crate::arena::{Arena, Found, Layout, RowsOf, Target};
use crate::gradient;
use crate::kernel::WINDOW;
use crate::memory::{Marks, reserve};
use crate::number::LANES;
use crate::plan::{Plan, VariableId, registry};
use crate::request::{Answer, BadRows, Column, Further, Patterns, Request, Settings, Stopped};
use crate::solve;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Evaluates a request. `stop` is looked at before every block, or every few where their rows are put in order together.
///
/// # Errors
/// Where memory is short or the caller stops it.
pub fn evaluate(request: &Request, settings: &Settings, stop: &AtomicBool) -> Result<Answer, Stopped> {
    let Patterns { patterns, rows } = request.patterns()?;
    // A plan for each pattern, or the number of the reason why there is none.
    let mut bad_rows: Vec<BadRows> = Vec::new();
    let mut layouts = Vec::new();
    for pattern in &patterns {
        match Plan::of(&pattern.known, &request.outputs) {
            Ok(plan) => layouts.push(Ok(Layout::new(plan, request, pattern))),
            Err(why) => {
                let known = bad_rows.iter().position(|bad| bad.why == why);
                let number = known.unwrap_or(bad_rows.len());
                if known.is_none() {
                    bad_rows.push(BadRows { why, count: 0, row: pattern.first });
                }
                let bad = &mut bad_rows[number];
                bad.count += pattern.count;
                bad.row = bad.row.min(pattern.first);
                layouts.push(Err(number));
            }
        }
    }
    let mut outputs: Vec<Vec<f64>> = Vec::new();
    for _ in 0..request.results() {
        outputs.push(reserve(request.rows)?);
    }
    let target = Target {
        outputs: &outputs.iter_mut().map(Vec::as_mut_ptr).collect::<Vec<_>>(),
        nulls: outputs.iter().map(|_| Marks::new(request.rows)).collect(),
        reasons: settings.null_invalid.then(|| Marks::new(request.rows)),
    };

    let all = Mutex::new(Found::default());
    let first_reason = registry().variables.len() + 1;
    let mut start = 0;
    rayon::scope(|scope| {
        for (pattern, layout) in patterns.iter().zip(&layouts) {
            let stretch = start..start + pattern.count;
            start = stretch.end;
            let layout = match layout {
                Ok(layout) => layout,
                Err(number) => {
                    let reason = u16::try_from(first_reason + number).unwrap_or(u16::MAX);
                    for i in stretch {
                        let row = if rows.is_empty() { i } else { rows[i] as usize };
                        for (output, nulls) in target.outputs.iter().zip(&target.nulls) {
                            // SAFETY: within the frame.
                            unsafe { output.add(row).write(0.0) };
                            nulls.set(row, 1);
                        }
                        if let Some(reasons) = &target.reasons {
                            reasons.set(row, reason);
                        }
                    }
                    continue;
                }
            };
            let spare = Arc::new(Mutex::new(Vec::new()));
            let task_rows = task_rows(pattern.count, settings);
            let mut from = stretch.start;
            while from < stretch.end {
                let to = (from + task_rows).min(stretch.end);
                let rows_of = if rows.is_empty() { RowsOf::Stretch(from) } else { RowsOf::Listed(&rows[from..to]) };
                let (all, target, spare) = (&all, &target, spare.clone());
                scope.spawn(move |_| {
                    let found = task(request, layout, settings, target, rows_of, to - from, &spare, stop);
                    all.lock().unwrap_or_else(PoisonError::into_inner).merge(found);
                });
                from = to;
            }
        }
    });
    if stop.load(Ordering::Relaxed) {
        return Err(Stopped::Interrupted);
    }
    let Target { nulls, reasons, .. } = target;
    for values in &mut outputs {
        // SAFETY: every pattern's rows have been written, by tasks or where there is no plan, and no task was stopped.
        unsafe { values.set_len(request.rows) };
    }
    let found = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Answer {
        outputs,
        nulls: nulls.into_iter().map(Marks::taken).collect::<Result<_, _>>()?,
        bad_columns: found.columns.into_values().collect(),
        bad_rows,
        reasons: reasons.map_or(Ok(None), Marks::taken)?,
    })
}

/// Rows of one task: a few tasks a thread, all alike, and no more than stay in the second-level cache.
fn task_rows(rows: usize, settings: &Settings) -> usize {
    const TASKS_PER_THREAD: usize = 4;
    const MOST: usize = 32_768;
    rows.div_ceil((settings.threads * TASKS_PER_THREAD).max(1)).clamp(settings.block, MOST).next_multiple_of(LANES)
}

/// Arenas of one layout that no task has at present: to make one takes as long as many rows.
type Spare = Mutex<Vec<Vec<Arena>>>;

#[expect(clippy::too_many_arguments, reason = "what is asked, and a part of it")]
fn task(
    request: &Request,
    layout: &Layout,
    settings: &Settings,
    target: &Target,
    rows_of: RowsOf,
    rows: usize,
    spare: &Spare,
    stop: &AtomicBool,
) -> Found {
    let mut found = Found::default();
    let kept = spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut all_arenas = kept.unwrap_or_else(|| vec![Arena::new(layout, settings, &mut found)]);
    // Columns the plan does not read are held to their declarations too.
    let unread: Vec<(VariableId, &Column)> = request
        .columns
        .iter()
        .filter(|(id, _)| !layout.slots.contains_key(*id) && !Request::is_choice(**id))
        .map(|(id, column)| (*id, column))
        .collect();
    // Several blocks at once where their rows are put in order together.
    let window = if layout.ordered && matches!(request.further, Further::Nothing) { WINDOW } else { 1 };
    while all_arenas.len() < window.min(rows.div_ceil(settings.block)) {
        let next = Arena::beside(&all_arenas[0], layout);
        all_arenas.push(next);
    }
    let mut from = 0;
    while from < rows && !stop.load(Ordering::Relaxed) {
        let starts: Vec<_> = (from..rows).step_by(settings.block).take(window).collect();
        let counts: Vec<_> = starts.iter().map(|start| settings.block.min(rows - start)).collect();
        let arenas = &mut all_arenas[..starts.len()];
        for ((arena, &start), &count) in arenas.iter_mut().zip(&starts).zip(&counts) {
            let rows_of = rows_of.part(start, count);
            arena.load(layout, request, rows_of, count, start + count < rows, &mut found);
            if let Some(id) = arena.spoilt {
                arena.invalid[..count].fill(u16::try_from(id + 1).unwrap_or(u16::MAX));
            }
            for (id, column) in &unread {
                arena.check(*id, column, rows_of, count, &mut found);
            }
            arena.aim(layout, target, rows_of, count);
        }
        let mut steps = &layout.steps[..];
        while let Some((&step, rest)) = steps.split_first() {
            if layout.is_ordered(step) {
                Arena::step_together(arenas, layout, step, settings.level, &counts);
                steps = rest;
                continue;
            }
            // Block by block as far as it goes: what one step writes the next one finds in the cache.
            let (alone, rest) = steps.split_at(steps.iter().take_while(|step| !layout.is_ordered(**step)).count());
            for (arena, &count) in arenas.iter_mut().zip(&counts) {
                for &step in alone {
                    arena.step(layout, step, settings.level, count);
                }
            }
            steps = rest;
        }
        for ((arena, &start), &count) in arenas.iter_mut().zip(&starts).zip(&counts) {
            let rows_of = rows_of.part(start, count);
            match &request.further {
                Further::Nothing => {}
                Further::Solve(search) => solve::block(arena, layout, search, settings, rows_of, count),
                Further::Gradient { elasticities, .. } => gradient::block(arena, layout, *elasticities, count, stop),
            }
            arena.store(layout, target, rows_of, count);
        }
        from += counts.iter().sum::<usize>();
    }
    spare.lock().unwrap_or_else(PoisonError::into_inner).push(all_arenas);
    found
}
