//! What can be said at this moment, and what type an expression has: the
//! knowledge behind completion, hints and `?name`.
//!
//! Left out: types of values that only running would tell. Fields are pure, so
//! `init.children[0].mm` is looked at; a call is not made, its declared result
//! is used.

use std::cell::OnceCell;
use std::rc::Rc;

use rhai::Dynamic;

use super::state::State;
use crate::script::lex::{Kind, Token};
use crate::script::names::{self, Signature};

/// The functions of the engine, looked up once.
#[derive(Debug, Default)]
pub struct Vocabulary {
    engine: OnceCell<Rc<Vec<Signature>>>,
}

/// The type of an expression, and its value where that is free to have.
#[derive(Debug, Clone)]
pub struct Typed {
    /// The type's name.
    pub ty: String,
    /// The value.
    pub value: Option<Dynamic>,
}

/// Types that every script has; others are handles and views of the machine.
const PLAIN_TYPES: &[&str] =
    &["int", "float", "bool", "char", "string", "array", "blob", "map", "range", "closure", "any"];

impl Vocabulary {
    /// All functions: of the engine and of the session.
    pub fn signatures(&self, state: &State) -> Vec<Signature> {
        let engine = &state.script().session.engine;
        let mut all =
            (**self.engine.get_or_init(|| Rc::new(names::signatures(engine, None)))).clone();
        all.extend(script_functions(state));
        all
    }

    /// Fields and methods of a type.
    pub fn members(&self, state: &State, of: &Typed) -> Vec<Signature> {
        let mut all = self.signatures(state);
        all.retain(|s| s.params.first().is_some_and(|(_, ty)| *ty == of.ty) && is_member(&s.name));
        all
    }

    /// Functions that are called by themselves: not on a handle or view.
    pub fn functions(&self, state: &State) -> Vec<Signature> {
        let mut all = self.signatures(state);
        all.retain(|s| {
            let first = s.params.first().map_or("any", |(_, ty)| ty.as_str());
            is_name(&s.name) && (s.in_script || PLAIN_TYPES.contains(&first))
        });
        all
    }

    /// The type of the expression that these tokens are.
    pub fn type_of(&self, state: &State, text: &str, tokens: &[Token]) -> Option<Typed> {
        if is_pure(text, tokens)
            && let Some(value) = look_at(state, text, tokens)
        {
            return Some(typed(state, value));
        }
        self.declared(state, text, tokens)
    }

    /// The type by what functions and fields say about their results.
    fn declared(&self, state: &State, text: &str, tokens: &[Token]) -> Option<Typed> {
        let of = |ty: &str| Some(Typed { ty: ty.to_string(), value: None });
        let (last, before) = tokens.split_last()?;
        match last.kind {
            Kind::Str { .. } => of("string"),
            Kind::Number if last.text(text).contains('.') => of("float"),
            Kind::Number => of("int"),
            Kind::Ident => {
                let receiver = self.receiver(state, text, before)?;
                self.result(state, &receiver, &format!("get${}", last.text(text)))
            }
            Kind::Close => {
                let open = opening(tokens)?;
                match (tokens[open].text(text), tokens[..open].split_last()) {
                    ("(", Some((name, before))) if name.kind == Kind::Ident => {
                        match self.receiver(state, text, before) {
                            Some(receiver) => self.result(state, &receiver, name.text(text)),
                            None => self.call_result(state, name.text(text)),
                        }
                    }
                    ("(", _) => self.type_of(state, text, &tokens[open + 1..tokens.len() - 1]),
                    ("#{", _) => of("map"),
                    ("[", None) => of("array"),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The type of what stands before a dot at the end of these tokens.
    fn receiver(&self, state: &State, text: &str, tokens: &[Token]) -> Option<Typed> {
        let (dot, before) = tokens.split_last()?;
        if !matches!(dot.text(text), "." | "?.") {
            return None;
        }
        self.type_of(state, text, chain(text, before))
    }

    fn result(&self, state: &State, of: &Typed, name: &str) -> Option<Typed> {
        let all = self.members(state, of);
        known(all.into_iter().filter(|s| s.name == name))
    }

    fn call_result(&self, state: &State, name: &str) -> Option<Typed> {
        known(self.functions(state).into_iter().filter(|s| s.name == name))
    }
}

fn known(mut all: impl Iterator<Item = Signature>) -> Option<Typed> {
    let found = all.find(|s| !matches!(s.returns.as_str(), "" | "()" | "any"))?;
    Some(Typed { ty: found.returns, value: None })
}

fn script_functions(state: &State) -> impl Iterator<Item = Signature> {
    state.script().functions().iter_functions().filter(|f| is_name(f.name)).map(|f| Signature {
        name: f.name.to_string(),
        params: f.params.iter().map(|p| ((*p).to_string(), "any".to_string())).collect(),
        returns: String::new(),
        in_script: true,
        doc: f.comments.iter().map(|c| c.trim_start_matches('/').trim().to_string()).collect(),
    })
}

/// Whether a function's name is one that a script can write.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic()) && !name.contains('$')
}

fn is_member(name: &str) -> bool {
    is_name(name.strip_prefix("get$").unwrap_or(name))
}

/// A value with its type's name.
pub fn typed(state: &State, value: Dynamic) -> Typed {
    let engine = &state.script().session.engine;
    Typed { ty: names::friendly(engine.map_type_name(value.type_name())), value: Some(value) }
}

/// The variable of this name: of the script, or one that is always at hand.
pub fn variable(state: &State, name: &str) -> Option<Dynamic> {
    let session = &state.script().session;
    match session.scope.get_value::<Dynamic>(name) {
        Some(value) => Some(value),
        None => session.control.provided(name).ok().flatten(),
    }
}

/// Whether evaluating these tokens does nothing: variables, fields, indexes.
fn is_pure(text: &str, tokens: &[Token]) -> bool {
    let starts = tokens.first().is_some_and(|t| t.kind == Kind::Ident);
    starts
        && tokens.windows(2).all(|two| two[0].kind != Kind::Ident || two[1].text(text) != "(")
        && tokens.iter().all(|t| match t.kind {
            Kind::Ident | Kind::Number => true,
            Kind::Str { goes_on, closed } => closed && !goes_on,
            Kind::Open | Kind::Close => matches!(t.text(text), "[" | "]"),
            Kind::Op => matches!(t.text(text), "." | "?."),
            _ => false,
        })
}

fn look_at(state: &State, text: &str, tokens: &[Token]) -> Option<Dynamic> {
    let session = &state.script().session;
    let range = tokens.first()?.range.start..tokens.last()?.range.end;
    let code = text.get(range)?;
    if tokens.len() == 1 {
        return variable(state, code);
    }
    let mut scope = session.scope.clone();
    session.engine.eval_expression_with_scope::<Dynamic>(&mut scope, code).ok()
}

/// The tokens at the end that form one expression of calls, indexes and
/// fields: of `x = a.b(c).d`, `a.b(c).d`.
pub fn chain<'t>(text: &str, tokens: &'t [Token]) -> &'t [Token] {
    let mut start = tokens.len();
    while let Some(last) = start.checked_sub(1) {
        match tokens[last].kind {
            Kind::Close => match opening(&tokens[..start]) {
                Some(open) => start = open,
                None => return &[],
            },
            Kind::Ident | Kind::Number | Kind::Str { .. } => start = last,
            _ => return &[],
        }
        // What was called or indexed stands right before its bracket.
        let Some(before) = start.checked_sub(1) else { break };
        let opened = matches!(tokens[start].text(text), "(" | "[");
        if opened && matches!(tokens[before].kind, Kind::Ident | Kind::Close) {
            continue;
        }
        if !matches!(tokens[before].text(text), "." | "?.") {
            break;
        }
        start = before;
    }
    &tokens[start..]
}

/// The index of the bracket that the last token closes.
fn opening(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate().rev() {
        match token.kind {
            Kind::Close => depth += 1,
            Kind::Open => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}
