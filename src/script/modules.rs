//! `import`: modules come from the script's own folder, by a loader that the
//! caller provides. Paths are checked here, whatever the loader does: none
//! leaves the folder, and a cycle is an error that shows the cycle.
//!
//! All paths are relative to the script's folder, also in modules in a folder
//! below it, so that one path always means one module.
//!
//! Left out: reading files, and following symbolic links out of the folder;
//! the loader must refuse those ([`LoadError::Outside`]).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{Engine, EvalAltResult, GlobalRuntimeState, Module, Position, Scope, Shared};

use super::check;
use super::control::Control;
use super::errors::ScriptError;
use super::names::{did_you_mean, suggestion};

/// Gives the texts of modules.
pub trait SourceLoader {
    /// The text of a module. `path` is relative to the script's folder, ends
    /// in `.rhai`, uses `/`, and has no `.` or `..` in it.
    fn load(&self, path: &str) -> Result<String, LoadError>;

    /// The bytes of a file that is no module; `path` as above, with any ending.
    ///
    /// # Errors
    /// It cannot be read, or there are no files here.
    fn load_file(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        self.load(path).map(String::into_bytes)
    }

    /// The modules that could be loaded, written like `path`; for suggestions.
    fn list(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Why a module has no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There is none.
    #[error("there is no such file")]
    NotFound,
    /// It is not text.
    #[error("the file is not UTF-8 (first wrong byte: {0})")]
    NotUtf8(usize),
    /// It lies outside the script's folder: a symbolic link leads there.
    #[error("the file lies outside the script's folder")]
    Outside,
    /// It cannot be read.
    #[error("{0}")]
    Other(String),
}

/// A loader without modules.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoModules;

impl SourceLoader for NoModules {
    fn load(&self, _: &str) -> Result<String, LoadError> {
        Err(LoadError::NotFound)
    }
}

/// A loader from memory.
impl SourceLoader for BTreeMap<String, String> {
    fn load(&self, path: &str) -> Result<String, LoadError> {
        self.get(path).cloned().ok_or(LoadError::NotFound)
    }

    fn list(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

/// Sets up `import` for an engine.
pub fn register(engine: &mut Engine, control: &Control, loader: Box<dyn SourceLoader>) {
    let loader: Rc<dyn SourceLoader> = loader.into();
    control.set_loader(loader.clone());
    engine.set_module_resolver(Resolver {
        control: control.clone(),
        loader,
        loaded: RefCell::default(),
        in_progress: RefCell::default(),
    });
}

struct Resolver {
    control: Control,
    loader: Rc<dyn SourceLoader>,
    loaded: RefCell<BTreeMap<String, Shared<Module>>>,
    /// The modules being loaded now, outermost first.
    in_progress: RefCell<Vec<String>>,
}

type Resolved = Result<Shared<Module>, Box<EvalAltResult>>;

impl rhai::ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        pos: Position,
    ) -> Resolved {
        let mut global = engine.new_global_runtime_state();
        global.source = source.map(Into::into);
        self.resolve_raw(engine, &mut global, &mut Scope::new(), path, pos)
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _scope: &mut Scope,
        path: &str,
        pos: Position,
    ) -> Resolved {
        let name = normal_path(path).map_err(|e| e.at(pos))?;
        if let Some(module) = self.loaded.borrow().get(&name) {
            return Ok(module.clone());
        }
        self.check_cycle(&name).map_err(|e| e.at(pos))?;
        let text = self.text(&name).map_err(|e| e.at(pos))?;
        self.in_progress.borrow_mut().push(name.clone());
        let module = self.evaluate(engine, global, &name, &text);
        self.in_progress.borrow_mut().pop();
        let module =
            module.map_err(|e| Box::new(EvalAltResult::ErrorInModule(name.clone(), e, pos)))?;
        self.loaded.borrow_mut().insert(name, module.clone());
        Ok(module)
    }
}

impl Resolver {
    fn check_cycle(&self, name: &str) -> Result<(), ScriptError> {
        let stack = self.in_progress.borrow();
        let main = self.control.sources().main_name();
        let around = match stack.iter().position(|n| n == name) {
            Some(i) => stack[i..].to_vec(),
            // The script's own file; its name may carry a folder before it.
            None if !stack.is_empty() && main.rsplit('/').next() == Some(name) => {
                std::iter::once(name.to_string()).chain(stack.iter().cloned()).collect()
            }
            None => return Ok(()),
        };
        Err(ScriptError::Import {
            message: format!("modules import each other: {} -> {name}", around.join(" -> ")),
            help: Some("move what both need into a third module".into()),
        })
    }

    fn text(&self, name: &str) -> Result<String, ScriptError> {
        let limit = self.control.limits().source_bytes;
        let text = self.loader.load(name).map_err(|e| {
            let others = self.loader.list();
            let near = did_you_mean(name, others.iter().map(String::as_str));
            let near: Vec<&str> =
                near.iter().map(|n| n.strip_suffix(".rhai").unwrap_or(n)).collect();
            let help = match e {
                LoadError::NotFound => suggestion(&near),
                LoadError::Outside => {
                    Some("modules are imported from the script's own folder only".into())
                }
                _ => None,
            };
            ScriptError::Import { message: format!("cannot import `{name}`: {e}"), help }
        })?;
        if text.len() > limit {
            let message = format!("cannot import `{name}`: longer than {limit} bytes");
            return Err(ScriptError::Import { message, help: None });
        }
        Ok(text)
    }

    fn evaluate(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        name: &str,
        text: &str,
    ) -> Resolved {
        self.control.sources().add(name, text);
        let mut ast = super::run::compile(engine, text)?;
        ast.set_source(name);
        if let Some(unknown) = check::unknown_variables(&self.control, &ast, &Scope::new()).first()
        {
            let name = unknown.name.clone();
            return Err(EvalAltResult::ErrorVariableNotFound(name, unknown.pos).into());
        }
        let module = Module::eval_ast_as_new_raw(engine, &mut Scope::new(), global, &ast)?;
        Ok(module.into())
    }
}

/// The one way to write a module's path, or why it is none.
fn normal_path(path: &str) -> Result<String, ScriptError> {
    let joined = inside(path).map_err(|why| ScriptError::Import {
        message: format!("cannot import `{path}`: {why}"),
        help: Some(
            "modules are imported from the script's own folder: `import \"lib/x\" as x;`".into(),
        ),
    })?;
    Ok(if joined.ends_with(".rhai") { joined } else { format!("{joined}.rhai") })
}

/// The one way to write the path of a file in the script's folder, or why it is
/// none.
pub(super) fn inside(path: &str) -> Result<String, &'static str> {
    let refuse = Err;
    if path.trim().is_empty() {
        return refuse("the path is empty");
    }
    if path.contains(|c: char| c.is_control()) {
        return refuse("the path holds a control character");
    }
    // A colon is a drive or a stream on some systems.
    if path.starts_with(['/', '~']) || path.contains(['\\', ':']) {
        return refuse("the path must be relative, with `/` between names");
    }
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    if parts.contains(&"..") {
        return refuse("`..` leaves the script's folder");
    }
    let joined = parts.join("/");
    if joined.is_empty() {
        return refuse("the path is empty");
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_form_and_stay_inside() {
        for path in ["a", "./a", "a.rhai", ".//a"] {
            assert_eq!(normal_path(path).ok().as_deref(), Some("a.rhai"), "{path}");
        }
        assert_eq!(normal_path("lib/./a").ok().as_deref(), Some("lib/a.rhai"));
        for path in [
            "",
            " ",
            ".",
            "/etc/passwd",
            "../a",
            "lib/../../a",
            "a\0",
            "C:\\a",
            "c:a",
            "~/a",
            "a\nb",
        ] {
            assert!(normal_path(path).is_err(), "{path:?}");
        }
    }
}
