//! The functions of a script on further threads: each has an engine of its own,
//! made from the script's text.
//!
//! Left out: scripts whose functions import modules; see [`Copies::of`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{AST, ASTNode, Stmt};

use super::super::{Machine, World};
use super::Language;
use crate::explore::crew::{Crew, Work};
use crate::kernel::boot::BootConfig;
use crate::kernel::system::System;
use crate::script::control::{Buffer, Control, Stop};
use crate::script::limits::Limits;
use crate::script::modules::NoModules;
use crate::script::run::Session;
use crate::script::stack;

/// What it takes to make a script's functions again.
pub(super) struct Copies {
    name: String,
    text: Arc<str>,
    limits: Limits,
    interrupt: Arc<AtomicBool>,
    /// The machine as scripts see it.
    system: System,
    functions: Vec<String>,
    /// Why one of them had to stop.
    stopped: Mutex<Option<Stop>>,
}

impl Copies {
    /// Copies of a script that runs; `None` if its functions import modules,
    /// whose texts are only known once they are asked for.
    pub(super) fn of(control: &Control, ast: &AST, machine: &Machine) -> Option<Copies> {
        let mut imports = false;
        ast.walk(&mut |path| {
            imports |= matches!(path.last(), Some(ASTNode::Stmt(Stmt::Import(..))));
            !imports
        });
        (!imports).then(|| Copies {
            name: control.sources().main_name(),
            text: control.script_text(),
            limits: control.limits().clone(),
            interrupt: control.interrupt(),
            system: machine.read(Clone::clone),
            functions: functions(ast),
            stopped: Mutex::default(),
        })
    }

    /// Tells a control why one of them had to stop.
    pub(super) fn tell(&self, control: &Control) {
        if let Some(why) = self.stopped.lock().unwrap_or_else(PoisonError::into_inner).take() {
            control.stop(why);
        }
    }

    /// Makes an engine, compiles the script, and works.
    fn help_here(&self, work: Work<'_>) {
        let Ok(world) = World::new(BootConfig::default()) else { return };
        world.main().write(|sys| sys.clone_from(&self.system));
        let output = Box::new(Buffer::new());
        let mut session =
            Session::new(self.limits.clone(), self.interrupt.clone(), output, Box::new(NoModules));
        world.register(&mut session.engine, &session.control, &mut session.scope);
        let Ok(ast) = session.compile(&self.name, &self.text) else { return };
        session.control.set_script(&ast, &self.text);
        if functions(&ast) != self.functions {
            return;
        }
        let control = &session.control;
        let mut language = Language::new(&session.engine, control, &ast);
        language.explores();
        work(&language, &|| control.stopped().is_some() || self.interrupt.load(Ordering::Relaxed));
        if let Some(why) = control.stopped() {
            self.stopped.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        }
    }
}

impl Crew for Copies {
    fn help(&self, work: Work<'_>) {
        // Without a thread, or an engine, the others do all.
        let _ = stack::on_deep_stack(|| self.help_here(work));
    }
}

/// Names of all functions, in order.
fn functions(ast: &AST) -> Vec<String> {
    let mut names: Vec<String> =
        ast.iter_functions().map(|f| format!("{} {}", f.name, f.params.len())).collect();
    names.sort_unstable();
    names
}
