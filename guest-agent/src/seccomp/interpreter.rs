//! Runs a filter as the kernel would, so that tests need neither a kernel nor the calls that are refused.

use super::compile::{self, Instruction};

pub(super) fn run(program: &[Instruction], architecture: u32, number: u32, arguments: &[u64; 6]) -> u32 {
    let load = |offset: u32| match offset {
        compile::NUMBER => number,
        compile::ARCHITECTURE => architecture,
        offset => {
            let word = (offset - compile::ARGUMENTS) / 4;
            (arguments[(word / 2) as usize] >> (32 * (word % 2)) & 0xffff_ffff) as u32
        }
    };
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let Instruction { code, if_true, if_false, operand } = program[at];
        at += 1;
        let holds = match code {
            compile::LOAD => {
                accumulator = load(operand);
                continue;
            }
            compile::AND => {
                accumulator &= operand;
                continue;
            }
            compile::JUMP => {
                at += operand as usize;
                continue;
            }
            compile::RETURN => return operand,
            compile::JUMP_IF_EQUAL => accumulator == operand,
            compile::JUMP_IF_ABOVE => accumulator > operand,
            compile::JUMP_IF_AT_LEAST => accumulator >= operand,
            compile::JUMP_IF_ANY => accumulator & operand != 0,
            _ => panic!("an instruction that is not used: {code:#x}"),
        };
        at += usize::from(if holds { if_true } else { if_false });
    }
}
