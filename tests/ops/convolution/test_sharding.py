"""Convolutions over several devices, which a process of its own simulates."""

import os
import subprocess
import sys

PROGRAM = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from jaxlayers import layers

model = layers.Conv2D(4, 3, strides=2, padding="same")
params, state = model.init(jax.random.key(0), (8, 8, 3))
x = jax.random.normal(jax.random.key(1), (4, 8, 8, 3))

def loss(params, x):
    return jnp.sum(model.apply(params, state, x)[0] ** 2)

expected = jax.grad(loss, (0, 1))(params, x)

def check(ours):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

for kind in (AxisType.Auto, AxisType.Explicit):
    mesh = jax.make_mesh((2,), ("data",), axis_types=(kind,))
    sharded = jax.device_put(x, NamedSharding(mesh, P("data")))
    with jax.set_mesh(mesh):
        alike = jax.device_put(params, NamedSharding(mesh, P()))
        check(jax.jit(jax.grad(loss, (0, 1)))(alike, sharded))
        by_hand = jax.shard_map(
            lambda p, x: jax.grad(lambda p: jax.lax.psum(loss(p, x), "data"))(p),
            in_specs=(P(), P("data")), out_specs=P(),
        )
        for a, b in zip(jax.tree.leaves(jax.jit(by_hand)(alike, sharded)),
                        jax.tree.leaves(expected[0]), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
print("both agree")
"""


def test_jit_over_a_mesh_and_shard_map_give_what_one_device_gives() -> None:
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "2"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "both agree" in done.stdout
