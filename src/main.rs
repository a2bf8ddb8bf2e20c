//! The `pinfold` program.

fn main() -> std::process::ExitCode {
    pinfold::cli::main()
}
