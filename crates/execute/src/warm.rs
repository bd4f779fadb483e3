//! What a process does once, so that no call has to.

use crate::Execute;
use revm::precompile::crypto;

impl Execute {
    /// Loads what the precompiles of L2 blocks load when they are first used.
    ///
    /// That is the trusted setup of KZG, which takes about two seconds: too long for a call whose gas
    /// pays for a point evaluation. A node that offers EXECUTE calls this when it starts.
    pub fn warm_up() {
        // The point at infinity proves that the zero polynomial is zero at zero.
        let mut infinity = [0; 48];
        infinity[0] = 0xc0;
        let zero = [0; 32];
        let loaded = crypto().verify_kzg_proof(&zero, &zero, &infinity, &infinity);
        debug_assert!(loaded.is_ok(), "a proof that holds");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_warming_up_a_point_evaluation_is_answered_at_once() {
        Execute::warm_up();
        // A wrong proof is answered too, and the answer is no.
        let mut infinity = [0; 48];
        infinity[0] = 0xc0;
        let (zero, mut one) = ([0; 32], [0; 32]);
        one[31] = 1;
        assert!(crypto().verify_kzg_proof(&zero, &zero, &infinity, &infinity).is_ok());
        assert!(crypto().verify_kzg_proof(&zero, &one, &infinity, &infinity).is_err());
    }
}
