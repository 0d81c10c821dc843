//! Claims about all states of an exploration: what always, never or somewhere
//! holds. A claim is a function that is given the machine as it is in a state.
//!
//! Left out: what came of them in words; see `explore::claim`.

use std::fmt;
use std::ops::ControlFlow;

use rhai::{AST, Array, Dynamic, Engine, EvalAltResult, FnPtr, Map, NativeCallContext};

use crate::explore::Exploration;
use crate::explore::claim::{KINDS, Kind, Verdict};
use crate::script::bind::args::{Named, type_of};
use crate::script::bind::registry::{Book, Raised, functions};
use crate::script::bind::world::Machine;
use crate::script::errors::ScriptError;
use crate::script::names::{did_you_mean, suggestion};
use crate::session::program::Programs;

/// A claim, as scripts hold it.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    kind: Kind,
    condition: FnPtr,
}

impl Claim {
    /// The condition's name, if it has one.
    fn name(&self) -> &str {
        match self.condition.fn_name() {
            name if name.starts_with("anon$") => "",
            name => name,
        }
    }

    fn new(kind: Kind, value: &Dynamic) -> Result<Claim, ScriptError> {
        match value.read_lock::<FnPtr>() {
            Some(condition) => Ok(Claim { kind, condition: condition.clone() }),
            None => Err(ScriptError::Usage {
                message: format!("explore: {kind} must be a function, not {}", type_of(value)),
                help: Some(format!("#{{{kind}: |m| m.nr_threads < 5}}")),
            }),
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "" => write!(f, "{}(a closure)", self.kind),
            name => write!(f, "{}({name})", self.kind),
        }
    }
}

/// For scripts.
pub(super) fn map(verdict: &Verdict, found: &Exploration) -> Map {
    let mut map = Map::new();
    map.insert("claim".into(), verdict.kind.to_string().into());
    map.insert("condition".into(), verdict.name.to_string().into());
    map.insert("holds".into(), verdict.holds().into());
    map.insert("schedule".into(), verdict.schedule(found).map_or(Dynamic::UNIT, Into::into));
    map
}

/// The claims among options: a function each, or several in an array; and
/// claims of any kind.
pub(super) fn claims(named: &mut Named<'_>) -> Result<Vec<Claim>, ScriptError> {
    let mut claims = Vec::new();
    for (kind, name) in KINDS {
        let Some(value) = named.get(name) else { continue };
        match value.read_lock::<Array>() {
            Some(several) => {
                for one in several.iter() {
                    claims.push(Claim::new(kind, one)?);
                }
            }
            None => claims.push(Claim::new(kind, value)?),
        }
    }
    if let Some(value) = named.get("claims") {
        claims.extend(made(value)?);
    }
    Ok(claims)
}

/// Claims that `always`, `never` and `exists` have made: one, or an array.
pub(super) fn made(value: &Dynamic) -> Result<Vec<Claim>, ScriptError> {
    if let Some(claim) = value.read_lock::<Claim>() {
        return Ok(vec![claim.clone()]);
    }
    let wrong = |value: &Dynamic| ScriptError::Usage {
        message: format!("explore: a claim was expected, not {}", type_of(value)),
        help: Some("`always(|m| m.nr_threads < 5)`, `never(…)` and `exists(…)` make claims".into()),
    };
    let Some(several) = value.read_lock::<Array>() else { return Err(wrong(value)) };
    let one = |value: &Dynamic| match value.read_lock::<Claim>() {
        Some(claim) => Ok(claim.clone()),
        None => Err(wrong(value)),
    };
    several.iter().map(one).collect()
}

/// A claim about a function of the script, by its name.
///
/// # Errors
/// There is no such function, or it cannot be given a machine.
pub(super) fn by_name(ast: &AST, kind: Kind, name: &str) -> Result<Claim, ScriptError> {
    let named = |f: &rhai::ScriptFnMetadata| f.name == name;
    if ast.iter_functions().any(|f| named(&f) && f.params.len() == 1)
        && let Ok(condition) = FnPtr::new(name)
    {
        return Ok(Claim { kind, condition });
    }
    if let Some(f) = ast.iter_functions().find(named) {
        let n = f.params.len();
        return Err(ScriptError::Usage {
            message: format!("--{kind} {name}: the function takes {n} parameters, not one"),
            help: Some(format!("`fn {name}(m) {{ … }}` is given the machine in each state")),
        });
    }
    let others = ast.iter_functions().filter(|f| f.params.len() == 1).map(|f| f.name);
    let others = others.filter(|name| !name.starts_with("anon$"));
    Err(ScriptError::Usage {
        message: format!("--{kind} {name}: the script has no function of that name"),
        help: suggestion(&did_you_mean(name, others)).or_else(|| {
            Some(format!("`fn {name}(m) {{ … }}` would be given the machine in each state"))
        }),
    })
}

/// Who calls the conditions.
#[derive(Clone, Copy)]
pub(super) enum Caller<'c> {
    /// A script's call of `explore`.
    Script(&'c NativeCallContext<'c>),
    /// The one who explores a file.
    File(&'c Engine, &'c AST),
}

impl Caller<'_> {
    fn call(self, condition: &FnPtr, machine: &Machine) -> Result<Dynamic, Box<EvalAltResult>> {
        match self {
            Caller::Script(ctx) => condition.call_within_context(ctx, (machine.clone(),)),
            Caller::File(engine, ast) => condition.call(engine, ast, (machine.clone(),)),
        }
    }
}

/// Claims being checked.
pub(super) struct Checked<'c> {
    caller: Caller<'c>,
    machine: &'c Machine,
    claims: Vec<(Claim, Option<usize>)>,
    failed: Option<Box<EvalAltResult>>,
}

impl<'c> Checked<'c> {
    pub(super) fn new(caller: Caller<'c>, machine: &'c Machine, claims: Vec<Claim>) -> Checked<'c> {
        let claims = claims.into_iter().map(|claim| (claim, None)).collect();
        Checked { caller, machine, claims, failed: None }
    }

    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        !self.claims.is_empty()
    }

    /// Looks at a state: the script's machine is in it for that time.
    pub(super) fn look(&mut self, programs: &Programs, node: usize) -> ControlFlow<()> {
        let (machine, caller) = (self.machine, self.caller);
        for (claim, witness) in self.claims.iter_mut().filter(|(_, w)| w.is_none()) {
            let (before, calls, code) = machine.state();
            let mut system = programs.system.clone();
            // What the programs have printed is not the script's output.
            system.kernel.console.clear();
            machine.set_state((system, calls.clone(), code.clone()));
            let result = caller.call(&claim.condition, machine);
            machine.set_state((before, calls, code));
            let holds = result.and_then(|value| {
                value.as_bool().map_err(|_| {
                    let said = type_of(&value);
                    let what = match claim.name() {
                        "" => claim.kind.to_string(),
                        _ => claim.to_string(),
                    };
                    let message = format!("explore: {what} must say true or false, not {said}");
                    ScriptError::usage(message).into()
                })
            });
            match holds {
                Ok(holds) if holds == (claim.kind == Kind::Always) => {}
                Ok(_) => *witness = Some(node),
                Err(e) => {
                    self.failed = Some(e);
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// What came of them.
    ///
    /// # Errors
    /// A claim's own.
    pub(super) fn finish(self) -> Result<Vec<Verdict>, Box<EvalAltResult>> {
        let verdict = |(claim, witness): (Claim, Option<usize>)| {
            let name = claim.name().into();
            Verdict { kind: claim.kind, name, witness }
        };
        match self.failed {
            Some(e) => Err(e),
            None => Ok(self.claims.into_iter().map(verdict).collect()),
        }
    }
}

/// Registers the functions that make claims.
pub(super) fn register(book: &mut Book) {
    book.prints::<Claim>("Claim");
    functions! { book;
        /// Claims for `explore` that a condition is true in every state: a function
        /// of the machine in that state.
        "always(condition: function) -> Claim" =>
            |f: Dynamic| -> Raised<Claim> { Ok(Claim::new(Kind::Always, &f)?) };
        /// Claims that it is true in no state.
        "never(condition: function) -> Claim" =>
            |f: Dynamic| -> Raised<Claim> { Ok(Claim::new(Kind::Never, &f)?) };
        /// Claims that there is a state in which it is true.
        "exists(condition: function) -> Claim" =>
            |f: Dynamic| -> Raised<Claim> { Ok(Claim::new(Kind::Exists, &f)?) };
    }
}
