//! Terms of algebra: made, simplified where a person would, evaluated, and written.

use crate::number::Number;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::rc::Rc;

pub type T = Rc<Term>;

#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    Number(f64),
    /// A number that the code gives a name.
    Constant(String, f64),
    /// A variable.
    Name(String),
    /// A quantity with a name of its own inside a model.
    Local(Rc<Local>),
    /// A value of a choice: its text and, where it stands in the code, its position.
    Choice(String, Option<usize>),
    Truth(bool),
    Infix(Operator, T, T),
    Negative(T),
    Not(T),
    /// A function with its arguments and, where it is one of ours, their names.
    Call(String, Vec<(Option<String>, T)>),
    /// The second where the first holds, else the third.
    Cases(T, T, T),
    Record(String, Vec<(String, T)>),
    Tuple(Vec<T>),
    /// What a caller may have given.
    Optional(Option<T>),
    /// No algebra: made in a loop.
    Unknown,
}

#[derive(Debug, PartialEq)]
pub struct Local {
    pub name: String,
    /// The arguments, where it is the value of a function of that name.
    pub arguments: Option<Vec<(String, T)>>,
    pub term: T,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Less,
    AtMost,
    Equals,
    Plus,
    Minus,
    Times,
    Over,
    Power,
}

impl Operator {
    fn sign(self) -> &'static str {
        match self {
            Operator::Or => " or ",
            Operator::And => " and ",
            Operator::Less => " < ",
            Operator::AtMost => " ≤ ",
            Operator::Equals => " = ",
            Operator::Plus => " + ",
            Operator::Minus => " − ",
            Operator::Times => " · ",
            Operator::Over => " / ",
            Operator::Power => "^",
        }
    }
    /// How strongly it binds.
    fn strength(self) -> u8 {
        match self {
            Operator::Or => 1,
            Operator::And => 2,
            Operator::Less | Operator::AtMost | Operator::Equals => 4,
            Operator::Plus | Operator::Minus => 5,
            Operator::Times | Operator::Over => 6,
            Operator::Power => 8,
        }
    }
    fn is_condition(self) -> bool {
        self.strength() <= 4
    }
}

const WEAKEST: u8 = 0;
const NEGATION: u8 = 3;
const SIGN: u8 = 7;
const ATOM: u8 = 9;

pub fn number(x: f64) -> T {
    Rc::new(Term::Number(x))
}
pub fn name(text: &str) -> T {
    Rc::new(Term::Name(text.to_owned()))
}
pub fn unknown() -> T {
    Rc::new(Term::Unknown)
}
pub fn call(function: &str, argument: T) -> T {
    Rc::new(Term::Call(function.to_owned(), vec![(None, argument)]))
}
pub fn call_of_two(function: &str, first: T, second: T) -> T {
    Rc::new(Term::Call(function.to_owned(), vec![(None, first), (None, second)]))
}
pub fn infix(operator: Operator, a: T, b: T) -> T {
    Rc::new(match (operator, &*a, &*b) {
        (Operator::And, Term::Truth(false), _) | (Operator::And, _, Term::Truth(false)) => Term::Truth(false),
        (Operator::Or, Term::Truth(true), _) | (Operator::Or, _, Term::Truth(true)) => Term::Truth(true),
        (Operator::And, Term::Truth(true), _) | (Operator::Or, Term::Truth(false), _) => return b,
        (Operator::And, _, Term::Truth(true)) | (Operator::Or, _, Term::Truth(false)) => return a,
        (Operator::Equals, Term::Choice(a, _), Term::Choice(b, _)) => Term::Truth(a == b),
        // A status is compared by its position.
        (Operator::Equals, _, Term::Number(position)) => match a.value_at(*position) {
            Some(value) => Term::Infix(operator, a, value),
            None => Term::Infix(operator, a, b),
        },
        // The code begins a sum with a number of the type, which a person does not.
        (Operator::Plus, Term::Negative(x), _) => Term::Infix(Operator::Minus, b, x.clone()),
        (Operator::Plus, _, Term::Negative(y)) => Term::Infix(Operator::Minus, a, y.clone()),
        (Operator::Minus, _, Term::Negative(y)) => Term::Infix(Operator::Plus, a, y.clone()),
        // The same of a factor.
        (Operator::Times, _, Term::Number(_)) if !matches!(*a, Term::Number(_)) => Term::Infix(Operator::Times, b, a),
        _ => Term::Infix(operator, a, b),
    })
}
pub fn negative(a: T) -> T {
    Rc::new(match &*a {
        Term::Number(x) => Term::Number(-x),
        Term::Negative(x) => return x.clone(),
        Term::Infix(Operator::Minus, x, y) => Term::Infix(Operator::Minus, y.clone(), x.clone()),
        _ => Term::Negative(a),
    })
}
pub fn not(a: T) -> T {
    match &*a {
        Term::Truth(holds) => Rc::new(Term::Truth(!holds)),
        _ => Rc::new(Term::Not(a)),
    }
}
pub fn cases(condition: T, yes: T, no: T) -> T {
    match &*condition {
        Term::Truth(true) => yes,
        Term::Truth(false) => no,
        _ => Rc::new(Term::Cases(condition, yes, no)),
    }
}

/// What a term comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Number(f64),
    Truth(bool),
}

impl Term {
    /// Whether a name would say no more than the term.
    pub fn is_plain(&self) -> bool {
        !matches!(self, Term::Infix(..) | Term::Negative(_) | Term::Not(_) | Term::Call(..) | Term::Cases(..))
    }
    fn is_condition(&self) -> bool {
        match self {
            Term::Infix(operator, ..) => operator.is_condition(),
            Term::Not(_) | Term::Truth(_) => true,
            Term::Local(local) => local.term.is_condition(),
            _ => false,
        }
    }
    /// The term behind names of the model's own.
    pub fn bare(&self) -> &Term {
        match self {
            Term::Local(local) => local.term.bare(),
            other => other,
        }
    }
    /// Whether it is the call of a function of ours.
    pub fn is_of_ours(&self) -> bool {
        matches!(self, Term::Call(_, arguments) if arguments.iter().any(|(named, _)| named.is_some()))
    }
    /// The value of this choice at a position, if it is one.
    fn value_at(&self, position: f64) -> Option<T> {
        match self.bare() {
            Term::Choice(text, Some(code)) if *code as f64 == position => {
                Some(Rc::new(Term::Choice(text.clone(), Some(*code))))
            }
            Term::Cases(_, yes, no) => yes.value_at(position).or_else(|| no.value_at(position)),
            _ => None,
        }
    }
    fn parts(&self) -> Vec<&T> {
        match self {
            Term::Local(local) => vec![&local.term],
            Term::Infix(_, a, b) => vec![a, b],
            Term::Negative(a) | Term::Not(a) | Term::Optional(Some(a)) => vec![a],
            Term::Call(_, arguments) => arguments.iter().map(|(_, term)| term).collect(),
            Term::Cases(a, b, c) => vec![a, b, c],
            Term::Record(_, fields) => fields.iter().map(|(_, term)| term).collect(),
            Term::Tuple(terms) => terms.iter().collect(),
            _ => Vec::new(),
        }
    }
    /// What its branches hang on, each once.
    fn conditions(&self, found: &mut Vec<T>) {
        if let Term::Cases(condition, ..) = self
            && !found.contains(condition)
        {
            found.push(condition.clone());
        }
        self.parts().iter().for_each(|part| part.conditions(found));
    }
    /// The values of functions in it, each once.
    fn functions(&self, found: &mut Vec<Rc<Local>>) {
        if let Term::Local(local) = self
            && local.arguments.is_some()
            && !found.contains(local)
        {
            found.push(local.clone());
        }
        self.parts().iter().for_each(|part| part.functions(found));
    }
    /// Whether all of it is algebra.
    pub fn is_known(&self) -> bool {
        *self != Term::Unknown && self.parts().iter().all(|part| part.is_known())
    }
    /// The variables in it.
    pub fn names(&self) -> BTreeSet<String> {
        let mut found: BTreeSet<String> = self.parts().iter().flat_map(|part| part.names()).collect();
        if let Term::Name(name) = self {
            found.insert(name.clone());
        }
        found
    }
    fn value(&self, of: &dyn Fn(&str) -> f64) -> Option<Value> {
        let number = |term: &T| match term.value(of) {
            Some(Value::Number(x)) => Some(x),
            _ => None,
        };
        let truth = |term: &T| match term.value(of) {
            Some(Value::Truth(holds)) => Some(holds),
            _ => None,
        };
        Some(match self {
            Term::Number(x) | Term::Constant(_, x) => Value::Number(*x),
            Term::Choice(_, code) => Value::Number((*code)? as f64),
            Term::Name(name) => Value::Number(of(name)),
            Term::Local(local) => return local.term.value(of),
            Term::Truth(holds) => Value::Truth(*holds),
            Term::Not(a) => Value::Truth(!truth(a)?),
            Term::Negative(a) => Value::Number(-number(a)?),
            Term::Cases(condition, yes, no) => return if truth(condition)? { yes.value(of) } else { no.value(of) },
            Term::Infix(Operator::And, a, b) => Value::Truth(truth(a)? & truth(b)?),
            Term::Infix(Operator::Or, a, b) => Value::Truth(truth(a)? | truth(b)?),
            Term::Infix(operator, a, b) => {
                let (a, b) = (number(a)?, number(b)?);
                match operator {
                    Operator::Plus => Value::Number(a + b),
                    Operator::Minus => Value::Number(a - b),
                    Operator::Times => Value::Number(a * b),
                    Operator::Over => Value::Number(a / b),
                    Operator::Power => Value::Number(Number::pow(a, b)),
                    Operator::Less => Value::Truth(a < b),
                    Operator::AtMost => Value::Truth(a <= b),
                    _ => Value::Truth(Number::eq(a, b)),
                }
            }
            Term::Call(function, arguments) => {
                let of_one: fn(f64) -> f64 = match function.as_str() {
                    "ln" => Number::ln,
                    "exp" => Number::exp,
                    "sqrt" => Number::sqrt,
                    "floor" => Number::floor,
                    "abs" => Number::abs,
                    "min" => {
                        return Some(Value::Number(Number::min(number(&arguments[0].1)?, number(&arguments[1].1)?)));
                    }
                    "max" => {
                        return Some(Value::Number(Number::max(number(&arguments[0].1)?, number(&arguments[1].1)?)));
                    }
                    _ => return None,
                };
                Value::Number(of_one(number(&arguments[0].1)?))
            }
            _ => return None,
        })
    }
}

/// A term with each part replaced; a name of the model's own that then says nothing is dropped.
fn rebuilt(term: &T, settled: &mut HashMap<*const Local, T>, change: &dyn Fn(&T) -> Option<T>) -> T {
    let term = change(term).unwrap_or_else(|| term.clone());
    if let Term::Local(local) = &*term {
        let key = Rc::as_ptr(local);
        if let Some(known) = settled.get(&key) {
            return known.clone();
        }
        let inner = rebuilt(&local.term, settled, change);
        let new = if inner.is_plain() {
            inner
        } else if inner == local.term {
            term.clone()
        } else {
            let arguments = local.arguments.as_ref().map(|arguments| {
                arguments.iter().map(|(name, term)| (name.clone(), rebuilt(term, settled, change))).collect()
            });
            Rc::new(Term::Local(Rc::new(Local { name: local.name.clone(), arguments, term: inner })))
        };
        settled.insert(key, new.clone());
        return new;
    }
    let mut again = |part: &T| rebuilt(part, settled, change);
    match &*term {
        Term::Infix(operator, a, b) => Rc::new(Term::Infix(*operator, again(a), again(b))),
        Term::Negative(a) => Rc::new(Term::Negative(again(a))),
        Term::Not(a) => Rc::new(Term::Not(again(a))),
        Term::Call(function, arguments) => {
            Rc::new(Term::Call(function.clone(), arguments.iter().map(|(n, a)| (n.clone(), again(a))).collect()))
        }
        Term::Cases(a, b, c) => Rc::new(Term::Cases(again(a), again(b), again(c))),
        Term::Record(kind, fields) => {
            Rc::new(Term::Record(kind.clone(), fields.iter().map(|(n, a)| (n.clone(), again(a))).collect()))
        }
        Term::Tuple(terms) => Rc::new(Term::Tuple(terms.iter().map(&mut again).collect())),
        _ => term,
    }
}

/// The term with the branches that these values take, where what is left mentions as much as before.
pub fn settled(term: &T, of: &dyn Fn(&str) -> f64) -> T {
    let names = term.names();
    let mut conditions = Vec::new();
    term.conditions(&mut conditions);
    let mut best = term.clone();
    for condition in &conditions {
        let Some(Value::Truth(holds)) = condition.value(of) else { continue };
        let next = assumed(&best, condition, holds);
        if next.names() == names {
            best = next;
        }
    }
    best
}

/// The term without questions that the branch they stand in has answered.
pub fn unrepeated(term: &T) -> T {
    let answered = |term: &T| match &**term {
        Term::Cases(condition, yes, no) => {
            Some(cases(condition.clone(), assumed(yes, condition, true), assumed(no, condition, false)))
        }
        _ => None,
    };
    rebuilt(term, &mut HashMap::new(), &answered)
}

fn assumed(term: &T, condition: &T, holds: bool) -> T {
    let branch = |term: &T| match &**term {
        Term::Cases(asked, yes, no) if asked == condition => {
            Some(assumed(if holds { yes } else { no }, condition, holds))
        }
        _ => None,
    };
    rebuilt(term, &mut HashMap::new(), &branch)
}

/// The term without the named arguments of functions that read nothing of `reads`.
pub fn without_unread(term: &T, reads: &BTreeSet<String>) -> T {
    let read = |argument: &T| {
        let names = argument.names();
        names.is_empty() || !names.is_disjoint(reads)
    };
    let fewer = |term: &T| -> Option<T> {
        let kept = |fields: &[(Option<String>, T)]| {
            fields.iter().filter(|(named, argument)| named.is_none() || read(argument)).cloned().collect()
        };
        match &**term {
            Term::Call(function, arguments) => Some(Rc::new(Term::Call(function.clone(), kept(arguments)))),
            Term::Record(kind, fields) => {
                let fields = fields.iter().filter(|(_, field)| read(field)).cloned().collect();
                Some(Rc::new(Term::Record(kind.clone(), fields)))
            }
            _ => None,
        }
    };
    rebuilt(term, &mut HashMap::new(), &fewer)
}

/// A number as a person writes it.
fn figure(x: f64) -> String {
    if x.is_nan() {
        return "none".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let size = x.abs();
    let text = if x != 0.0 && !(1e-4..1e6).contains(&size) { format!("{size:e}") } else { format!("{size}") };
    if x < 0.0 { format!("−{text}") } else { text }
}

/// Writes terms, collecting the lines for what has a name inside the model.
#[derive(Default)]
pub struct Writer {
    /// (name, its term written), in the order of first use.
    pub lines: Vec<(String, String)>,
    /// Functions of ours in them.
    pub functions: Vec<String>,
    /// The output whose line is written: nothing else has its name.
    output: String,
    named: HashMap<String, Rc<Local>>,
    constants: BTreeSet<String>,
    /// Functions that stand in the line with several arguments: written as calls.
    several: BTreeSet<String>,
}

impl Writer {
    pub fn of(output: &str) -> Writer {
        Writer { output: output.to_owned(), ..Writer::default() }
    }
    pub fn write(&mut self, term: &T) -> String {
        self.at(term, WEAKEST)
    }
    /// A line: what it is called inside the model says no more than its output's name.
    pub fn write_line(&mut self, line: &T) -> String {
        let mut functions = Vec::new();
        line.functions(&mut functions);
        for (k, one) in functions.iter().enumerate() {
            if functions[..k].iter().any(|other| other.name == one.name) {
                self.several.insert(one.name.clone());
            }
        }
        match &**line {
            Term::Local(local) if !self.several.contains(&local.name) => {
                self.note(&local.name, local.arguments.is_some());
                self.write_line(&local.term)
            }
            _ => self.write(line),
        }
    }

    /// The term in parentheses where its place binds more strongly than `place`.
    fn at(&mut self, term: &T, place: u8) -> String {
        let (text, strength) = self.text(term);
        if strength < place { format!("({text})") } else { text }
    }

    fn text(&mut self, term: &T) -> (String, u8) {
        match &**term {
            Term::Number(x) => (figure(*x), if *x < 0.0 { SIGN } else { ATOM }),
            Term::Constant(name, x) => {
                if name != "π" && self.constants.insert(name.clone()) {
                    self.lines.push((name.clone(), figure(*x)));
                }
                (name.clone(), ATOM)
            }
            Term::Name(name) | Term::Choice(name, _) => (name.clone(), ATOM),
            Term::Truth(holds) => (holds.to_string(), ATOM),
            Term::Local(local) => {
                if let Some(arguments) = &local.arguments
                    && self.several.contains(&local.name)
                {
                    self.note(&local.name, true);
                    let arguments: Vec<(&str, &T)> =
                        arguments.iter().map(|(name, term)| (name.as_str(), term)).collect();
                    return (format!("{}{}", local.name, self.list(&arguments)), ATOM);
                }
                // A condition reads best where it is used; a name that is taken twice would name two things.
                let taken =
                    local.name == self.output || self.named.get(&local.name).is_some_and(|other| other != local);
                if taken || local.term.is_condition() || local.term.is_plain() {
                    return self.text(&local.term);
                }
                if !self.named.contains_key(&local.name) {
                    self.named.insert(local.name.clone(), local.clone());
                    self.note(&local.name, local.arguments.is_some());
                    let place = self.lines.len();
                    self.lines.push((local.name.clone(), String::new()));
                    let text = self.write(&local.term);
                    self.lines[place].1 = text;
                }
                (local.name.clone(), ATOM)
            }
            Term::Infix(operator, a, b) => {
                let strength = operator.strength();
                // From left to right; a power from right to left.
                let (left, right) = match operator {
                    Operator::Power => (strength + 1, strength),
                    Operator::Plus | Operator::Or | Operator::And => (strength, strength),
                    Operator::Times => (
                        strength,
                        if matches!(b.bare(), Term::Infix(Operator::Times, ..)) { strength } else { strength + 1 },
                    ),
                    _ => (strength, strength + 1),
                };
                (format!("{}{}{}", self.at(a, left), operator.sign(), self.at(b, right)), strength)
            }
            Term::Negative(a) => {
                let (text, strength) = self.text(a);
                let factor = Operator::Times.strength();
                if strength < factor {
                    (format!("−({text})"), SIGN)
                } else {
                    (format!("−{text}"), strength.min(SIGN))
                }
            }
            Term::Not(a) => (format!("not {}", self.at(a, NEGATION)), NEGATION),
            Term::Cases(condition, yes, no) => {
                let (yes, condition) = (self.at(yes, WEAKEST + 1), self.at(condition, WEAKEST + 1));
                (format!("{yes} if {condition}, else {}", self.at(no, WEAKEST)), WEAKEST)
            }
            Term::Call(function, arguments) => {
                self.note(function, term.is_of_ours());
                let arguments: Vec<(&str, &T)> =
                    arguments.iter().map(|(named, term)| (named.as_deref().unwrap_or(""), term)).collect();
                (format!("{function}{}", self.list(&arguments)), ATOM)
            }
            Term::Record(_, fields) => {
                let fields: Vec<(&str, &T)> = fields.iter().map(|(named, term)| (named.as_str(), term)).collect();
                (self.list(&fields), ATOM)
            }
            Term::Tuple(terms) => {
                let terms: Vec<(&str, &T)> = terms.iter().map(|term| ("", term)).collect();
                (self.list(&terms), ATOM)
            }
            Term::Optional(_) | Term::Unknown => ("…".to_owned(), ATOM),
        }
    }

    fn note(&mut self, function: &str, ours: bool) {
        if ours && self.functions.iter().all(|known| known != function) {
            self.functions.push(function.to_owned());
        }
    }

    fn list(&mut self, terms: &[(&str, &T)]) -> String {
        let mut text = String::from("(");
        for (k, (named, term)) in terms.iter().enumerate() {
            let before = if k == 0 { "" } else { ", " };
            let value = self.at(term, WEAKEST + 1);
            // An argument that is called what it is needs no name.
            let repeated = named.is_empty() || *named == value;
            let _ = if repeated { write!(text, "{before}{value}") } else { write!(text, "{before}{named}: {value}") };
        }
        text.push(')');
        text
    }
}
