//! Models' Rust read as algebra: the lines of `equations` evaluated with terms instead of numbers.
//!
//! What has a loop, changes a local or leaves early is no algebra: it becomes `Term::Unknown`, or the call of a function
//! by its name where all of its arguments are known.

use super::Said;
use super::term::{Local, Operator, T, Term, call, call_of_two, cases, infix, name, negative, not, number, unknown};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use syn::visit::{self, Visit};
use syn::{BinOp, Block, Expr, Item, Lit, Member, Pat, Stmt, Type, UnOp};

/// Calls within calls are followed as far as this.
const DEEPEST: u32 = 12;

/// A function of ours.
pub struct Function {
    /// The type whose method it is.
    owner: Option<String>,
    parameters: Vec<String>,
    body: Block,
    /// What it says of itself.
    pub about: String,
}

impl Function {
    /// A parameter as it is shown: a method's own value by its type.
    fn parameter(&self, name: &str) -> String {
        if name == "self" { snake_case(self.owner.as_deref().unwrap_or_default()) } else { name.to_owned() }
    }
}

/// The body of a model's `equations`, with its names for the inputs and for what is given.
pub struct Body {
    inputs: String,
    given: String,
    block: Block,
}

impl Body {
    /// # Panics
    /// Where the text is no Rust: the compiler has refused it before.
    pub fn new([inputs, given, block]: [&str; 3]) -> Body {
        let block = syn::parse_str(block).expect("a body that compiles");
        Body { inputs: inputs.to_owned(), given: given.to_owned(), block }
    }
}

/// What a file declares.
#[derive(Default)]
pub struct Page {
    pub file: String,
    /// What it says of itself.
    pub header: String,
    constants: HashMap<String, Expr>,
    functions: HashMap<String, Vec<Rc<Function>>>,
    /// The values of choices: their names in the code with their texts.
    choices: HashMap<String, Vec<(String, String)>>,
}

fn documentation(attributes: &[syn::Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let syn::Meta::NameValue(pair) = &attribute.meta
            && pair.path.is_ident("doc")
            && let Expr::Lit(literal) = &pair.value
            && let Lit::Str(text) = &literal.lit
        {
            let text = text.value();
            lines.push(text.strip_prefix(' ').unwrap_or(&text).to_owned());
        }
    }
    lines.join("\n")
}

fn last_of(path: &syn::Path) -> String {
    path.segments.last().map_or_else(String::new, |segment| segment.ident.to_string())
}

/// `Name { Value "value", ... }` of `choices!`.
fn choices_of(tokens: TokenStream) -> Option<(String, Vec<(String, String)>)> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let [.., TokenTree::Ident(kind), TokenTree::Group(values)] = &tokens[..] else { return None };
    let values: Vec<TokenTree> = values.stream().into_iter().collect();
    let pair = |pair: &[TokenTree]| match pair {
        [TokenTree::Ident(code), TokenTree::Literal(text)] => {
            Some((code.to_string(), text.to_string().trim_matches('"').to_owned()))
        }
        _ => None,
    };
    Some((kind.to_string(), values.windows(2).filter_map(pair).collect()))
}

impl Page {
    /// # Panics
    /// Where the text is no Rust: the compiler has refused it before.
    pub fn new(file: &str, text: &str) -> Page {
        let parsed = syn::parse_file(text).expect("a file that compiles");
        let mut page = Page { file: file.replace('\\', "/"), header: documentation(&parsed.attrs), ..Page::default() };
        page.take(parsed.items);
        page
    }

    fn take(&mut self, items: Vec<Item>) {
        for item in items {
            match item {
                Item::Const(constant) => {
                    self.constants.insert(constant.ident.to_string(), *constant.expr);
                }
                Item::Fn(function) => self.take_function(None, &function.sig, *function.block, &function.attrs),
                Item::Impl(methods) => {
                    let Type::Path(owner) = &*methods.self_ty else { continue };
                    let owner = last_of(&owner.path);
                    for method in methods.items {
                        if let syn::ImplItem::Fn(method) = method {
                            self.take_function(Some(owner.clone()), &method.sig, method.block, &method.attrs);
                        }
                    }
                }
                Item::Mod(module) => {
                    if let Some((_, items)) = module.content {
                        self.take(items);
                    }
                }
                Item::Macro(call) if call.mac.path.is_ident("choices") => {
                    self.choices.extend(choices_of(call.mac.tokens));
                }
                _ => {}
            }
        }
    }

    fn take_function(
        &mut self,
        owner: Option<String>,
        signature: &syn::Signature,
        body: Block,
        attributes: &[syn::Attribute],
    ) {
        let parameter = |argument: &syn::FnArg| match argument {
            syn::FnArg::Receiver(_) => "self".to_owned(),
            syn::FnArg::Typed(typed) => bound(&typed.pat).pop().unwrap_or_default(),
        };
        let parameters = signature.inputs.iter().map(parameter).collect();
        let function = Function { owner, parameters, body, about: documentation(attributes) };
        self.functions.entry(signature.ident.to_string()).or_default().push(Rc::new(function));
    }

    fn function(&self, name: &str, owner: Option<&str>) -> Option<Rc<Function>> {
        let found = self.functions.get(name)?;
        match owner {
            Some(owner) => found.iter().find(|function| function.owner.as_deref() == Some(owner)).cloned(),
            None if found.len() == 1 => found.first().cloned(),
            None => None,
        }
    }
}

/// The names that a pattern binds.
fn bound(pattern: &Pat) -> Vec<String> {
    match pattern {
        Pat::Ident(one) => vec![one.ident.to_string()],
        Pat::Type(typed) => bound(&typed.pat),
        Pat::Paren(inner) => bound(&inner.pat),
        Pat::Reference(inner) => bound(&inner.pat),
        Pat::Tuple(tuple) => tuple.elems.iter().flat_map(bound).collect(),
        Pat::Slice(slice) => slice.elems.iter().flat_map(bound).collect(),
        Pat::TupleStruct(tuple) => tuple.elems.iter().flat_map(bound).collect(),
        Pat::Struct(fields) => fields.fields.iter().flat_map(|field| bound(&field.pat)).collect(),
        _ => Vec::new(),
    }
}

fn changes(pattern: &Pat) -> bool {
    match pattern {
        Pat::Ident(one) => one.mutability.is_some(),
        Pat::Type(typed) => changes(&typed.pat),
        Pat::Tuple(tuple) => tuple.elems.iter().any(changes),
        Pat::Slice(slice) => slice.elems.iter().any(changes),
        _ => false,
    }
}

/// The circumstances under which a model's lines are read.
pub struct Circumstances<'a> {
    /// Whether the caller gives an output.
    pub given: &'a dyn Fn(&str) -> bool,
    /// The text of a choice, where it is known.
    pub choice: &'a dyn Fn(&str) -> Option<String>,
    /// Whether a variable is a choice of false and true.
    pub boolean: Box<dyn Fn(&str) -> bool + 'a>,
}

type Scope = HashMap<String, T>;

/// Reads one model's body.
pub struct Reader<'a> {
    own: &'a Page,
    shared: &'a [Page],
    body: &'a Body,
    under: &'a Circumstances<'a>,
    lines: HashMap<String, T>,
    depth: u32,
}

/// Each output's line, as far as it is algebra.
pub fn lines(own: &Page, shared: &[Page], body: &Body, under: &Circumstances) -> HashMap<String, T> {
    let mut reader = Reader { own, shared, body, under, lines: HashMap::new(), depth: 0 };
    let outputs = reader.block(&body.block, &Scope::new());
    let mut lines = reader.lines;
    if let Term::Record(_, fields) = &*outputs {
        for (output, term) in fields {
            if **term != Term::Name(output.clone()) {
                // A line that is called what its output is.
                let line = match &**term {
                    Term::Local(local) if local.name == *output => local.term.clone(),
                    _ => term.clone(),
                };
                lines.insert(output.clone(), line);
            }
        }
    }
    lines
}

impl Reader<'_> {
    fn pages(&self) -> impl Iterator<Item = &Page> {
        std::iter::once(self.own).chain(self.shared)
    }
    fn function(&self, name: &str, owner: Option<&str>) -> Option<Rc<Function>> {
        self.pages().find_map(|page| page.function(name, owner))
    }

    /// The value of a block. Its expressions without a value only change what is no algebra anyway.
    fn block(&mut self, block: &Block, outer: &Scope) -> T {
        let mut scope = outer.clone();
        let (last, rest) = match block.stmts.split_last() {
            Some((Stmt::Expr(value, None), rest)) => (Some(value), rest),
            _ => (None, &block.stmts[..]),
        };
        for statement in rest {
            if let Stmt::Local(local) = statement {
                let term = match &local.init {
                    Some(init) if !changes(&local.pat) => self.read(&init.expr, &scope),
                    _ => unknown(),
                };
                bind(&local.pat, &term, &mut scope);
            }
        }
        last.map_or_else(unknown, |value| self.read(value, &scope))
    }

    fn read(&mut self, expression: &Expr, scope: &Scope) -> T {
        match expression {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Float(x) => x.base10_parse().map_or_else(|_| unknown(), number),
                Lit::Int(x) => x.base10_parse().map_or_else(|_| unknown(), number),
                Lit::Bool(holds) => Rc::new(Term::Truth(holds.value)),
                _ => unknown(),
            },
            Expr::Paren(inner) => self.read(&inner.expr, scope),
            Expr::Group(inner) => self.read(&inner.expr, scope),
            Expr::Cast(inner) => self.read(&inner.expr, scope),
            Expr::Reference(inner) if inner.mutability.is_none() => self.read(&inner.expr, scope),
            Expr::Block(inner) => self.block(&inner.block, scope),
            Expr::Path(path) => self.path(&path.path, scope),
            Expr::Field(field) => self.field(field, scope),
            Expr::Unary(unary) => {
                let term = self.read(&unary.expr, scope);
                match unary.op {
                    UnOp::Neg(_) => negative(term),
                    UnOp::Not(_) => not(term),
                    UnOp::Deref(_) => term,
                    _ => unknown(),
                }
            }
            Expr::Binary(binary) => {
                let (a, b) = (self.read(&binary.left, scope), self.read(&binary.right, scope));
                match binary.op {
                    BinOp::Add(_) => infix(Operator::Plus, a, b),
                    BinOp::Sub(_) => infix(Operator::Minus, a, b),
                    BinOp::Mul(_) => infix(Operator::Times, a, b),
                    BinOp::Div(_) => infix(Operator::Over, a, b),
                    BinOp::And(_) | BinOp::BitAnd(_) => infix(Operator::And, a, b),
                    BinOp::Or(_) | BinOp::BitOr(_) => infix(Operator::Or, a, b),
                    BinOp::Eq(_) => infix(Operator::Equals, a, b),
                    BinOp::Ne(_) => not(infix(Operator::Equals, a, b)),
                    BinOp::Lt(_) => infix(Operator::Less, a, b),
                    BinOp::Le(_) => infix(Operator::AtMost, a, b),
                    BinOp::Gt(_) => infix(Operator::Less, b, a),
                    BinOp::Ge(_) => infix(Operator::AtMost, b, a),
                    _ => unknown(),
                }
            }
            Expr::If(branch) => {
                let Some((_, otherwise)) = &branch.else_branch else { return unknown() };
                if let Expr::Let(condition) = &*branch.cond {
                    let subject = self.read(&condition.expr, scope);
                    return match matched(&condition.pat, &subject, scope) {
                        Some(Match::Always(inner)) => self.block(&branch.then_branch, &inner),
                        Some(Match::Never) => self.read(otherwise, scope),
                        _ => unknown(),
                    };
                }
                let condition = self.read(&branch.cond, scope);
                let yes = self.block(&branch.then_branch, scope);
                cases(condition, yes, self.read(otherwise, scope))
            }
            Expr::Match(choice) => {
                let subject = self.read(&choice.expr, scope);
                self.arms(&subject, &choice.arms, scope)
            }
            Expr::Struct(made) => {
                let mut fields: Vec<(String, T)> = Vec::new();
                for field in &made.fields {
                    let Member::Named(member) = &field.member else { return unknown() };
                    fields.push((member.to_string(), self.read(&field.expr, scope)));
                }
                if let Some(rest) = &made.rest {
                    let rest = self.read(rest, scope);
                    let Term::Record(_, others) = rest.bare() else { return unknown() };
                    for (member, term) in others {
                        if fields.iter().all(|(known, _)| known != member) {
                            fields.push((member.clone(), term.clone()));
                        }
                    }
                }
                Rc::new(Term::Record(last_of(&made.path), fields))
            }
            Expr::Tuple(tuple) => Rc::new(Term::Tuple(tuple.elems.iter().map(|one| self.read(one, scope)).collect())),
            Expr::MethodCall(method) => self.method(method, scope),
            Expr::Call(made) => self.call(made, scope),
            _ => unknown(),
        }
    }

    fn path(&mut self, path: &syn::Path, scope: &Scope) -> T {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let last = parts[parts.len() - 1].as_str();
        if let [only] = &parts[..]
            && let Some(term) = scope.get(only)
        {
            return term.clone();
        }
        if let [.., kind, value] = &parts[..]
            && let Some(values) = self.pages().find_map(|page| page.choices.get(kind))
        {
            let position = values.iter().position(|(code, _)| code == value);
            return position.map_or_else(unknown, |code| Rc::new(Term::Choice(values[code].1.clone(), Some(code))));
        }
        match last {
            "INFINITE" | "INFINITY" => return number(f64::INFINITY),
            "NAN" | "NONE" => return number(f64::NAN),
            "PI" => return Rc::new(Term::Constant("π".to_owned(), std::f64::consts::PI)),
            "LN_2" => return call("ln", number(2.0)),
            "LN_10" => return call("ln", number(10.0)),
            _ => {}
        }
        let Some(expression) = self.pages().find_map(|page| page.constants.get(last)) else { return unknown() };
        // SAFETY of recursion: constants of Rust do not refer to themselves.
        let value = constant(expression, &|other| self.pages().find_map(|page| page.constants.get(other)));
        value.map_or_else(unknown, |value| Rc::new(Term::Constant(last.to_owned(), value)))
    }

    fn field(&mut self, field: &syn::ExprField, scope: &Scope) -> T {
        let Member::Named(member) = &field.member else { return unknown() };
        let member = member.to_string();
        if let Expr::Path(base) = &*field.base {
            if base.path.is_ident(&self.body.inputs) && self.depth == 0 {
                return match (self.under.choice)(&member) {
                    Some(text) if (self.under.boolean)(&member) => Rc::new(Term::Truth(text == "true")),
                    Some(text) => Rc::new(Term::Choice(text, None)),
                    None => name(&member),
                };
            }
            if base.path.is_ident(&self.body.given) && self.depth == 0 {
                if member == "wanted" {
                    return Rc::new(Term::Record("Wanted".to_owned(), Vec::new()));
                }
                return Rc::new(Term::Optional((self.under.given)(&member).then(|| name(&member))));
            }
        }
        let base = self.read(&field.base, scope);
        match base.bare() {
            // Whoever reads a line wants it.
            Term::Record(kind, _) if kind == "Wanted" => Rc::new(Term::Truth(true)),
            Term::Record(_, fields) => {
                fields.iter().find(|(known, _)| *known == member).map_or_else(unknown, |(_, term)| term.clone())
            }
            _ => unknown(),
        }
    }

    fn arms(&mut self, subject: &T, arms: &[syn::Arm], scope: &Scope) -> T {
        let Some((arm, rest)) = arms.split_first() else { return unknown() };
        match matched(&arm.pat, subject, scope) {
            Some(Match::Always(inner)) => self.read(&arm.body, &inner),
            Some(Match::Never) => self.arms(subject, rest, scope),
            Some(Match::Values(values)) => {
                let texts = values.iter().map(|(kind, value)| {
                    let values = self.pages().find_map(|page| page.choices.get(kind))?;
                    let code = values.iter().position(|(code, _)| code == value)?;
                    Some(Rc::new(Term::Choice(values[code].1.clone(), Some(code))))
                });
                let Some(texts) = texts.collect::<Option<Vec<T>>>() else { return unknown() };
                let condition = texts
                    .into_iter()
                    .map(|text| infix(Operator::Equals, subject.clone(), text))
                    .reduce(|a, b| infix(Operator::Or, a, b));
                let Some(condition) = condition else { return unknown() };
                let value = self.read(&arm.body, scope);
                // The last arm is what is left.
                if rest.is_empty() && *condition != Term::Truth(false) {
                    return value;
                }
                cases(condition, value, self.arms(subject, rest, scope))
            }
            None => unknown(),
        }
    }

    fn method(&mut self, made: &syn::ExprMethodCall, scope: &Scope) -> T {
        let method = made.method.to_string();
        let arguments: Vec<T> = made.args.iter().map(|argument| self.read(argument, scope)).collect();
        if let Expr::Path(receiver) = &*made.receiver
            && receiver.path.is_ident(&self.body.given)
            && self.depth == 0
        {
            if !(self.under.given)(&method)
                && let [line] = &arguments[..]
            {
                self.lines.insert(method.clone(), line.clone());
            }
            return name(&method);
        }
        let receiver = self.read(&made.receiver, scope);
        let record = match receiver.bare() {
            Term::Record(kind, _) => Some(kind.clone()),
            _ => None,
        };
        if record.is_none() {
            match (method.as_str(), &arguments[..]) {
                ("exp" | "ln" | "sqrt" | "floor" | "abs", []) => return call(&method, receiver),
                ("ln_1p", []) => return call("ln", infix(Operator::Plus, number(1.0), receiver)),
                ("exp_m1", []) => return infix(Operator::Minus, call("exp", receiver), number(1.0)),
                ("pow" | "whole_pow", [exponent]) => return infix(Operator::Power, receiver, exponent.clone()),
                ("min" | "max", [other]) => return call_of_two(&method, receiver, other.clone()),
                ("positive_part", []) => return call_of_two("max", receiver, number(0.0)),
                ("lt", [other]) => return infix(Operator::Less, receiver, other.clone()),
                ("le", [other]) => return infix(Operator::AtMost, receiver, other.clone()),
                ("eq", [other]) => return infix(Operator::Equals, receiver, other.clone()),
                ("number" | "constant" | "clone", []) => return receiver,
                _ => {}
            }
        }
        let Some(function) = self.function(&method, record.as_deref()) else { return unknown() };
        self.called(&method, &function, std::iter::once(receiver).chain(arguments).collect())
    }

    fn call(&mut self, made: &syn::ExprCall, scope: &Scope) -> T {
        let Expr::Path(path) = &*made.func else { return unknown() };
        let parts: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let arguments: Vec<T> = made.args.iter().map(|argument| self.read(argument, scope)).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (&parts[..], &arguments[..]) {
            (["N", "zero"], []) => number(0.0),
            (["N", "one"], []) => number(1.0),
            (["N", "of"] | ["f64", "from"], [x]) => x.clone(),
            (["N", "select"], [mask, yes, no]) => cases(mask.clone(), yes.clone(), no.clone()),
            ([.., function], _) => {
                let owner = if parts.len() > 1 { Some(parts[parts.len() - 2]) } else { None };
                let owner = owner.filter(|owner| owner.starts_with(char::is_uppercase));
                let Some(found) = self.function(function, owner) else { return unknown() };
                self.called(function, &found, arguments)
            }
            _ => unknown(),
        }
    }

    /// A function's value where it is algebra, else its call.
    fn called(&mut self, called: &str, function: &Function, arguments: Vec<T>) -> T {
        if arguments.len() != function.parameters.len() || arguments.iter().any(|argument| !argument.is_known()) {
            return unknown();
        }
        let straight =
            function.body.stmts.iter().all(|statement| matches!(statement, Stmt::Local(_) | Stmt::Expr(_, None)));
        if straight && self.depth < DEEPEST {
            let scope = function.parameters.iter().cloned().zip(arguments.iter().cloned()).collect();
            self.depth += 1;
            let value = self.block(&function.body, &scope);
            self.depth -= 1;
            if value.is_known() {
                let parameters = function.parameters.iter().map(|name| function.parameter(name));
                return named(called, Some(parameters.zip(arguments).collect()), value);
            }
        }
        let parameters = function.parameters.iter().map(|name| Some(function.parameter(name)));
        Rc::new(Term::Call(called.to_owned(), parameters.zip(arguments).collect()))
    }

    /// What a function says of itself: its first paragraph, what it is and not how it is found.
    pub fn about(own: &Page, shared: &[Page], function: &str) -> Option<Said> {
        let with = |page: &&Page| page.functions.contains_key(function);
        let page = std::iter::once(own).chain(shared).find(with)?;
        let says = page.functions[function].first()?.about.split("\n\n").next()?.replace('\n', " ");
        let (file, header) = (page.file.clone(), page.header.clone());
        (!says.is_empty()).then(|| Said { function: function.to_owned(), says, file, header })
    }
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for (k, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && k > 0 {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// The number that a constant is.
fn constant<'a>(expression: &'a Expr, known: &dyn Fn(&str) -> Option<&'a Expr>) -> Option<f64> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Float(x) => x.base10_parse().ok(),
            Lit::Int(x) => x.base10_parse().ok(),
            _ => None,
        },
        Expr::Paren(inner) => constant(&inner.expr, known),
        Expr::Cast(inner) => constant(&inner.expr, known),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => constant(&unary.expr, known).map(|x| -x),
        Expr::Binary(binary) => {
            let (a, b) = (constant(&binary.left, known)?, constant(&binary.right, known)?);
            match binary.op {
                BinOp::Add(_) => Some(a + b),
                BinOp::Sub(_) => Some(a - b),
                BinOp::Mul(_) => Some(a * b),
                BinOp::Div(_) => Some(a / b),
                _ => None,
            }
        }
        Expr::Path(path) => match last_of(&path.path).as_str() {
            "LN_2" => Some(std::f64::consts::LN_2),
            "LN_10" => Some(std::f64::consts::LN_10),
            "PI" => Some(std::f64::consts::PI),
            other => constant(known(other)?, known),
        },
        _ => None,
    }
}

fn named(name: &str, arguments: Option<Vec<(String, T)>>, term: T) -> T {
    if term.is_plain() { term } else { Rc::new(Term::Local(Rc::new(Local { name: name.to_owned(), arguments, term }))) }
}

fn bind(pattern: &Pat, term: &T, scope: &mut Scope) {
    match pattern {
        Pat::Ident(one) => {
            let name = one.ident.to_string();
            let term = named(&name, None, term.clone());
            scope.insert(name, term);
        }
        Pat::Type(typed) => bind(&typed.pat, term, scope),
        Pat::Paren(inner) => bind(&inner.pat, term, scope),
        Pat::Tuple(tuple) => match term.bare() {
            Term::Tuple(parts) if parts.len() == tuple.elems.len() => {
                tuple.elems.iter().zip(parts).for_each(|(pattern, part)| bind(pattern, part, scope));
            }
            _ => forget(pattern, scope),
        },
        _ => forget(pattern, scope),
    }
}

fn forget(pattern: &Pat, scope: &mut Scope) {
    for name in bound(pattern) {
        scope.insert(name, unknown());
    }
}

/// Whether a pattern holds.
enum Match {
    /// With what it binds.
    Always(Scope),
    Never,
    /// Where the subject is one of these: a choice's type and value in the code.
    Values(Vec<(String, String)>),
}

fn matched(pattern: &Pat, subject: &T, scope: &Scope) -> Option<Match> {
    match (pattern, subject.bare()) {
        (Pat::Wild(_), _) => Some(Match::Always(scope.clone())),
        (Pat::TupleStruct(some), Term::Optional(given)) if some.path.is_ident("Some") => Some(match given {
            Some(term) => {
                let mut inner = scope.clone();
                some.elems.iter().for_each(|pattern| bind(pattern, term, &mut inner));
                Match::Always(inner)
            }
            None => Match::Never,
        }),
        (Pat::Ident(none), Term::Optional(given)) if none.ident == "None" => {
            Some(if given.is_none() { Match::Always(scope.clone()) } else { Match::Never })
        }
        (Pat::Path(path), Term::Choice(..) | Term::Name(_)) => {
            let parts: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            let [.., kind, value] = &parts[..] else { return None };
            Some(Match::Values(vec![(kind.clone(), value.clone())]))
        }
        (Pat::Lit(literal), Term::Truth(holds)) => match &literal.lit {
            Lit::Bool(wanted) => Some(if wanted.value == *holds { Match::Always(scope.clone()) } else { Match::Never }),
            _ => None,
        },
        (Pat::Or(or), Term::Choice(..) | Term::Name(_)) => {
            let mut values = Vec::new();
            for case in &or.cases {
                match matched(case, subject, scope)? {
                    Match::Values(more) => values.extend(more),
                    _ => return None,
                }
            }
            Some(Match::Values(values))
        }
        _ => None,
    }
}

/// What code mentions.
#[derive(Default)]
struct Mentions {
    names: BTreeSet<String>,
    /// Fields of the inputs.
    inputs: BTreeSet<String>,
    /// Locals that a reference lets change.
    changed: BTreeSet<String>,
    /// Outputs that pass through the caller's value.
    passed: BTreeSet<String>,
    inputs_name: String,
    given_name: String,
}

impl<'ast> Visit<'ast> for Mentions {
    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        if let Some(name) = path.path.get_ident() {
            self.names.insert(name.to_string());
        }
    }
    fn visit_expr_field(&mut self, field: &'ast syn::ExprField) {
        if let (Expr::Path(base), Member::Named(member)) = (&*field.base, &field.member)
            && base.path.is_ident(&self.inputs_name)
        {
            self.inputs.insert(member.to_string());
        }
        visit::visit_expr_field(self, field);
    }
    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        self.visit_expr(&field.expr);
    }
    fn visit_expr_method_call(&mut self, made: &'ast syn::ExprMethodCall) {
        if let Expr::Path(receiver) = &*made.receiver
            && receiver.path.is_ident(&self.given_name)
        {
            self.passed.insert(made.method.to_string());
        }
        visit::visit_expr_method_call(self, made);
    }
    fn visit_expr_reference(&mut self, reference: &'ast syn::ExprReference) {
        if let (Some(_), Expr::Path(path)) = (&reference.mutability, &*reference.expr) {
            self.changed.insert(last_of(&path.path));
        }
        visit::visit_expr_reference(self, reference);
    }
}

/// The inputs that the statements mention on which an output's line hangs, back to other outputs: for lines that are no
/// algebra. May be too many, not too few.
pub fn mentioned(body: &Body, output: &str) -> BTreeSet<String> {
    let nothing =
        || Mentions { inputs_name: body.inputs.clone(), given_name: body.given.clone(), ..Mentions::default() };
    let mut all = nothing();
    all.visit_block(&body.block);
    let mut changing: BTreeSet<String> = BTreeSet::new();
    let mut wanted: BTreeSet<String> = BTreeSet::from([output.to_owned()]);
    let mut found = BTreeSet::new();
    for statement in &body.block.stmts {
        if let Stmt::Local(local) = statement
            && changes(&local.pat)
        {
            changing.extend(bound(&local.pat));
        }
    }
    for statement in body.block.stmts.iter().rev() {
        let mut mentions = nothing();
        let defines: BTreeSet<String> = match statement {
            Stmt::Local(local) => {
                if let Some(init) = &local.init {
                    mentions.visit_expr(&init.expr);
                }
                mentions.changed.iter().cloned().chain(bound(&local.pat)).collect()
            }
            Stmt::Expr(Expr::Struct(made), None) => {
                // The outputs: the field alone.
                let field =
                    made.fields.iter().find(|field| matches!(&field.member, Member::Named(name) if name == output));
                if let Some(field) = field {
                    mentions.visit_expr(&field.expr);
                }
                BTreeSet::from([output.to_owned()])
            }
            other => {
                mentions.visit_stmt(other);
                mentions.names.intersection(&changing).cloned().collect()
            }
        };
        if !defines.is_disjoint(&wanted) {
            let others = mentions.names.into_iter().filter(|name| name == output || !all.passed.contains(name));
            wanted.extend(others);
            found.extend(mentions.inputs);
        }
    }
    found
}
