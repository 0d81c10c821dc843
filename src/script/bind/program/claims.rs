//! Claims about all states of an exploration: what always, never or somewhere
//! holds. A claim is a function that is given the machine as it is in a state.
//!
//! Left out: claims about runs (that something happens after another).

use std::ops::ControlFlow;

use rhai::{Dynamic, EvalAltResult, FnPtr, Map, NativeCallContext};

use crate::explore::Exploration;
use crate::script::bind::args::{Named, type_of};
use crate::script::bind::world::Machine;
use crate::script::errors::ScriptError;
use crate::session::program::Programs;

/// What is claimed of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is true in every state.
    Always,
    /// It is true in no state.
    Never,
    /// There is a state in which it is true.
    Exists,
}

const KINDS: [(Kind, &str); 3] =
    [(Kind::Always, "always"), (Kind::Never, "never"), (Kind::Exists, "exists")];

/// A claim.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    kind: Kind,
    name: &'static str,
    condition: FnPtr,
}

/// A claim and the first state that decides it.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    claim: Claim,
    witness: Option<usize>,
}

impl Verdict {
    fn holds(&self) -> bool {
        (self.claim.kind == Kind::Exists) == self.witness.is_some()
    }

    /// For scripts.
    pub(super) fn map(&self, found: &Exploration) -> Map {
        let schedule = self.witness.map(|node| found.schedule_to(node).to_string());
        let mut map = Map::new();
        map.insert("claim".into(), self.claim.name.into());
        map.insert("holds".into(), self.holds().into());
        map.insert("schedule".into(), schedule.map_or(Dynamic::UNIT, Into::into));
        map
    }

    /// In a line.
    pub(super) fn text(&self, found: &Exploration) -> String {
        let verdict = if self.holds() { "holds" } else { "does not hold" };
        let line = format!("claim {}: {verdict}", self.claim.name);
        match self.witness {
            Some(node) => format!("{line}, schedule {}", found.schedule_to(node)),
            None => line,
        }
    }
}

/// The claims among options.
pub(super) fn claims(named: &mut Named<'_>) -> Result<Vec<Claim>, ScriptError> {
    let mut claims = Vec::new();
    for (kind, name) in KINDS {
        let Some(value) = named.get(name) else { continue };
        let Some(condition) = value.read_lock::<FnPtr>() else {
            let message = format!("explore: {name} must be a function, not {}", type_of(value));
            return Err(ScriptError::Usage {
                message,
                help: Some(format!("#{{{name}: |m| m.nr_threads < 5}}")),
            });
        };
        claims.push(Claim { kind, name, condition: condition.clone() });
    }
    Ok(claims)
}

/// Claims being checked.
pub(super) struct Checked<'c> {
    ctx: &'c NativeCallContext<'c>,
    machine: &'c Machine,
    verdicts: Vec<Verdict>,
    failed: Option<Box<EvalAltResult>>,
}

impl<'c> Checked<'c> {
    pub(super) fn new(
        ctx: &'c NativeCallContext<'c>,
        machine: &'c Machine,
        claims: Vec<Claim>,
    ) -> Checked<'c> {
        let verdicts = claims.into_iter().map(|claim| Verdict { claim, witness: None }).collect();
        Checked { ctx, machine, verdicts, failed: None }
    }

    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        !self.verdicts.is_empty()
    }

    /// Looks at a state: the script's machine is in it for that time.
    pub(super) fn look(&mut self, programs: &Programs, node: usize) -> ControlFlow<()> {
        let (machine, ctx) = (self.machine, self.ctx);
        for verdict in self.verdicts.iter_mut().filter(|v| v.witness.is_none()) {
            let (before, calls) = machine.state();
            let mut system = programs.system.clone();
            // What the programs have printed is not the script's output.
            system.kernel.console.clear();
            machine.set_state(system, calls.clone());
            let claim = &verdict.claim;
            let result = claim.condition.call_within_context::<Dynamic>(ctx, (machine.clone(),));
            machine.set_state(before, calls);
            let holds = result.and_then(|value| {
                value.as_bool().map_err(|_| {
                    let message = format!(
                        "explore: {} must say true or false, not {}",
                        claim.name,
                        type_of(&value)
                    );
                    ScriptError::usage(message).into()
                })
            });
            match holds {
                Ok(holds) if holds == (claim.kind == Kind::Always) => {}
                Ok(_) => verdict.witness = Some(node),
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
        match self.failed {
            Some(e) => Err(e),
            None => Ok(self.verdicts),
        }
    }
}
