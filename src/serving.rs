//! How long a machine that serves a language model takes: equations that `serving`, `serving_search` and
//! `speed_serving` share, without variables. The pages of these models explain them.

use crate::number::Number;
use crate::root::root_between;
use crate::variable::choices;

choices!(
    /// Whether the chips reach a speed.
    SpeedStatus { Ok "ok", BeyondLimit "beyond_limit", BaseBeyondLimit "base_beyond_limit" }
);

/// Bytes of an activation between layers, 16 bits; an all-reduce sends them twice over (ring).
const ALL_REDUCE_BYTES: f64 = 4.0;
/// Bytes of an activation on the way to its expert and back: 8 bits there, 16 bits back.
const EXCHANGE_BYTES: f64 = 3.0;
/// Chips that split attention, groups with sequences of their own, chips over which experts are spread.
pub const LAYOUTS: [(f64, f64, f64); 12] = [
    (1.0, 1.0, 1.0),
    (2.0, 1.0, 1.0),
    (4.0, 1.0, 1.0),
    (8.0, 1.0, 1.0),
    (16.0, 1.0, 1.0),
    (2.0, 1.0, 2.0),
    (4.0, 1.0, 4.0),
    (8.0, 1.0, 8.0),
    (16.0, 1.0, 16.0),
    (1.0, 8.0, 8.0),
    (1.0, 16.0, 16.0),
    (1.0, 32.0, 32.0),
];

/// Passes of the fixed point of the batch, as the constants were fitted with.
const PASSES: usize = 3;

#[inline(always)]
fn hypot<N: Number>(a: N, b: N) -> N {
    let square = a * a + b * b;
    // A root has no derivative at 0, where a model has none of these weights.
    N::select(square.eq(N::zero()), N::zero(), square.sqrt())
}

/// The slope of √(a² + b²) from those of both.
#[inline(always)]
fn slope<N: Number>((a, b): (N, N), (a_slope, b_slope): (N, N)) -> N {
    let whole = hypot(a, b);
    let some = N::zero().lt(whole);
    N::select(some, (a * a_slope + b * b_slope) / N::select(some, whole, N::one()), N::zero())
}

/// A language model in the number formats it is served in.
#[derive(Clone, Copy)]
pub struct Weights<N> {
    pub layers: N,
    pub expert_layers: N,
    pub hidden: N,
    pub kv_heads: N,
    pub latent: N,
    pub experts_per_token: N,
    pub expert_ffn: N,
    /// Share of the routed experts' parameters that a token goes through.
    pub active_share: N,
    pub attention_params: N,
    pub dense_params: N,
    pub expert_params: N,
    pub head_params: N,
    /// Embedding that is held but not read whole.
    pub held_params: N,
    pub attention_weight_bytes: N,
    pub dense_weight_bytes: N,
    pub expert_weight_bytes: N,
    pub head_weight_bytes: N,
    pub attention_flop_per_s: N,
    pub dense_flop_per_s: N,
    pub expert_flop_per_s: N,
}

/// What a sequence reads and keeps, and the arithmetic of its prompt's attention.
#[derive(Clone, Copy)]
pub struct Sequence<N> {
    pub input_tokens: N,
    pub output_tokens: N,
    pub cached_share: N,
    pub kv_bytes_per_token: N,
    pub state_bytes: N,
    pub attention_flop_per_pair: N,
    /// Layers with a window, of those that hold a cache.
    pub window_share: N,
    pub window_tokens: N,
    pub sparse_tokens: N,
    pub index_share: N,
}

impl<N: Number> Sequence<N> {
    /// The mean length over the answer.
    #[inline(always)]
    fn context_tokens(&self) -> N {
        self.input_tokens + self.output_tokens * 0.5
    }
    /// Tokens by layer, where a windowed one has at most its window.
    #[inline(always)]
    fn windowed(&self, everywhere: N, context: N) -> N {
        everywhere * (-self.window_share + 1.0) + self.window_share * context.min(self.window_tokens)
    }
    /// What a step reads of one sequence.
    #[inline(always)]
    pub fn read_bytes(&self) -> N {
        let context = self.context_tokens();
        let attended = context.min(self.sparse_tokens) + context * self.index_share;
        self.windowed(attended, context) * self.kv_bytes_per_token + self.state_bytes
    }
    /// What a machine holds of one sequence, on the mean over its answer.
    #[inline(always)]
    pub fn held_bytes(&self) -> N {
        let context = self.context_tokens();
        let held = context * (self.index_share + 1.0);
        self.windowed(held, context) * self.kv_bytes_per_token + self.state_bytes
    }
    /// Input tokens that are not in a cache already.
    #[inline(always)]
    pub fn new_tokens(&self) -> N {
        self.input_tokens * (-self.cached_share + 1.0)
    }
    /// Arithmetic of attention over the prompt: each new token looks at what lies before it.
    #[inline(always)]
    pub fn prompt_attention_flop(&self) -> N {
        let new = self.new_tokens();
        let pairs = self.input_tokens * self.input_tokens * (-self.cached_share * self.cached_share + 1.0) * 0.5;
        let sparse = pairs.min(new * self.sparse_tokens);
        let windowed = pairs.min(new * self.window_tokens);
        let everywhere = sparse * (-self.window_share + 1.0) + self.window_share * windowed;
        everywhere * self.attention_flop_per_pair
    }
}

#[derive(Clone, Copy)]
pub struct Chip<N> {
    pub flop_per_s_bf16: N,
    pub memory_bytes: N,
    pub memory_bytes_per_s: N,
    pub link_bytes_per_s: N,
    pub memory_share: N,
}

/// Degrees of parallelism: attention by heads, attention by sequences, experts by expert.
#[derive(Clone, Copy)]
pub struct Layout<N> {
    pub tensor: N,
    pub data: N,
    pub expert: N,
}

/// What was measured, see `serving`: shares of the data sheet reached, and times that no data sheet has.
#[derive(Clone, Copy)]
pub struct Calibration<N> {
    pub weight_read_share: N,
    pub expert_read_share: N,
    pub kv_read_share: N,
    pub decode_flop_share: N,
    pub prompt_flop_share: N,
    pub attention_flop_share: N,
    pub link_share: N,
    pub prompt_expert_factor: N,
    pub expert_slice: N,
    pub expert_imbalance: N,
    pub layer_s: N,
    pub expert_layer_s: N,
    pub collective_s: N,
    pub host_s: N,
    /// Of the engine, on times a layer and a collective, and on those a sequence.
    pub step_factor: N,
    pub host_factor: N,
    pub tpot_scale: N,
}

/// Constants of the time to the first token.
#[derive(Clone, Copy)]
pub struct Start<N> {
    pub start_s: N,
    pub launch_factor: N,
    pub root_s: N,
    pub steps: N,
    pub layer_s: N,
    pub expert_factor: N,
    pub latent_factor: N,
    pub prompt_factor: N,
    pub queue_factor: N,
    pub burst_share: N,
    pub data_factor: N,
    pub ttft_scale: N,
}

/// Guessed tokens that a step verifies, tokens it is expected to bring, and the time of guessing over that of the step.
#[derive(Clone, Copy)]
pub struct Speculation<N> {
    pub verified: N,
    pub brought: N,
    pub draft_share: N,
}

/// The parts of the time of an output token, and which of two sides sets those of the weights.
#[derive(Clone, Copy)]
pub struct Parts<N: Number> {
    pub weights_s: N,
    pub experts_s: N,
    pub kv_s: N,
    pub layers_s: N,
    pub network_s: N,
    pub host_s: N,
    pub prompts_s: N,
    pub weights_by_flop: N::Mask,
    pub experts_by_flop: N::Mask,
}

impl<N: Number> Parts<N> {
    /// What the step itself takes.
    #[inline(always)]
    pub fn decode_s(&self) -> N {
        self.weights_s + self.experts_s + self.kv_s + self.layers_s + self.network_s + self.host_s
    }
}

/// A machine, everything but the batch settled.
#[derive(Clone, Copy)]
pub struct Machine<N: Number> {
    pub chips: N,
    pub weight_bytes: N,
    /// Cuts of a sequence's cache: groups, and what each can split it into.
    pub cache_cuts: N,
    pub prompt_s: N,
    read_s: N,
    flop_s: N,
    expert_read_s: N,
    expert_flop_s: N,
    expert_factor: N,
    /// Of the share of experts that one sequence's tokens don't touch.
    ln_untouched: N,
    all_active: N::Mask,
    kv_s: N,
    layers_s: N,
    collectives_s: N,
    traffic_s: N,
    host_s: N,
    output_tokens: N,
    prompts_s: N,
    prompts_share: N,
    /// Whether prompts run between the steps of the same machine.
    mixed: bool,
}

#[inline(always)]
pub fn machine<N: Number>(
    w: &Weights<N>,
    sequence: &Sequence<N>,
    chip: &Chip<N>,
    layout: &Layout<N>,
    c: &Calibration<N>,
    guess: &Speculation<N>,
    disaggregated: bool,
) -> Machine<N> {
    let one = N::one();
    let chips = layout.tensor * layout.data;
    // Divisions are what takes long: one for each degree.
    let (per_tensor, per_data, per_expert) = (one / layout.tensor, one / layout.data, one / layout.expert);
    let per_chip = per_tensor * per_data;
    let expert_tensor = chips * per_expert;
    let alone = chips.le(one);
    let by_sequence = one.lt(layout.data);
    let exchanged = by_sequence & one.lt(layout.expert);
    // Times of a step are stretched by guessing and shared by the tokens it brings.
    let step = (guess.draft_share + 1.0) / guess.brought * c.tpot_scale;
    let read_rate = chip.memory_bytes_per_s;

    // Every weight but the routed experts' is cut by tensor parallelism alone.
    let everyone_bytes = w.attention_params * w.attention_weight_bytes
        + w.dense_params * w.dense_weight_bytes
        + w.head_params * w.head_weight_bytes;
    let body_s = w.attention_params / w.attention_flop_per_s + w.dense_params / w.dense_flop_per_s;
    let token_s = (body_s + w.head_params / chip.flop_per_s_bf16) * 2.0;
    let read_s = everyone_bytes / (layout.tensor * read_rate * c.weight_read_share);
    let flop_share = per_chip * guess.verified / c.decode_flop_share;
    let flop_s = token_s * flop_share;

    let expert_bytes = w.expert_params * w.expert_weight_bytes;
    let expert_token_s = w.expert_params * w.active_share / w.expert_flop_per_s * 2.0;
    let expert_read_s = expert_bytes / (chips * read_rate * c.expert_read_share);
    let expert_flop_s = expert_token_s * flop_share;
    // Narrow slices of an expert keep less of the chip busy.
    let slice = N::select(N::zero().lt(w.expert_ffn), c.expert_slice * expert_tensor / w.expert_ffn, N::zero());
    let imbalance = N::select(one.lt(layout.expert), c.expert_imbalance, one);
    let expert_factor = (slice + 1.0) * imbalance * step;
    let all_active = one.le(w.active_share);
    let ln_untouched = (-N::select(all_active, N::zero(), w.active_share)).ln_1p() * guess.verified;

    // A cache by heads can't be cut finer than its heads, a latent one not at all.
    let latent = N::zero().lt(w.latent);
    let shards = N::select(latent, one, layout.tensor.min(w.kv_heads));
    let kv_s = sequence.read_bytes() / (layout.data * shards * read_rate * c.kv_read_share) * step;

    // One collective after attention, one after the feed-forward part; two exchanges around experts that are spread over
    // chips with sequences of their own.
    let cut = N::select(one.lt(layout.tensor), one, N::zero());
    let spread = w.expert_layers * 2.0;
    let collectives = w.layers * cut + N::select(by_sequence, spread, w.layers * cut);
    let link_rate = chip.link_bytes_per_s * c.link_share;
    let ring = w.hidden * (-per_tensor + 1.0) * ALL_REDUCE_BYTES * per_data;
    let sent = w.hidden * w.experts_per_token * (-per_expert + 1.0) * EXCHANGE_BYTES * per_data;
    let gathered = w.hidden * (-per_chip + 1.0) * ALL_REDUCE_BYTES;
    let feed_forward = N::select(by_sequence, w.expert_layers * N::select(exchanged, sent, gathered), w.layers * ring);
    let token_traffic_s = (w.layers * ring + feed_forward) / link_rate;
    let collectives_s = N::select(alone, N::zero(), collectives * c.collective_s * c.step_factor) * step;

    // A prompt, in time of the whole machine.
    let attention_s = sequence.prompt_attention_flop() / (chip.flop_per_s_bf16 * c.attention_flop_share);
    let matrices_s = (body_s * 2.0 + expert_token_s * c.prompt_expert_factor) / c.prompt_flop_share;
    let new_tokens = sequence.new_tokens();
    let prompt_s = (new_tokens * matrices_s + attention_s) * per_chip + new_tokens * token_traffic_s;

    let weight_bytes = (everyone_bytes + w.held_params * w.head_weight_bytes) * per_tensor + expert_bytes * per_chip;

    let prompts_share = c.tpot_scale / sequence.output_tokens;
    Machine {
        chips,
        weight_bytes,
        cache_cuts: layout.data * shards,
        prompt_s,
        read_s: read_s * step,
        flop_s: flop_s * step,
        expert_read_s,
        expert_flop_s,
        expert_factor,
        ln_untouched,
        all_active,
        kv_s,
        layers_s: (w.layers * c.layer_s + w.expert_layers * c.expert_layer_s) * c.step_factor * step,
        collectives_s,
        traffic_s: token_traffic_s * guess.verified * step,
        host_s: c.host_s * c.host_factor * step,
        output_tokens: sequence.output_tokens,
        prompts_s: prompt_s * prompts_share,
        prompts_share,
        mixed: !disaggregated,
    }
}

impl<N: Number> Machine<N> {
    /// The same with another time of a prompt.
    #[inline(always)]
    pub fn with_prompt_s(mut self, prompt_s: N) -> Self {
        self.prompt_s = prompt_s;
        self.prompts_s = prompt_s * self.prompts_share;
        self
    }

    /// Reading and arithmetic of the weights that every token goes through, and of experts.
    #[inline(always)]
    fn weights_s(&self, batch: N) -> [(N, N); 2] {
        // Distinct experts that the tokens of a step touch: E (1 - (1 - k / E)^tokens).
        let touched = -(self.ln_untouched * batch).exp_m1();
        let touched = N::select(self.all_active, N::one(), touched);
        [(self.read_s, self.flop_s * batch), (self.expert_read_s * touched, self.expert_flop_s * batch)]
    }

    /// What each sequence adds, whatever their number.
    #[inline(always)]
    fn each_s(&self) -> N {
        self.kv_s + self.traffic_s + self.host_s + if self.mixed { self.prompts_s } else { N::zero() }
    }

    /// The time of an output token with so many sequences at once. What the experts take is known last, and so comes last.
    #[inline(always)]
    pub fn tpot_s(&self, batch: N) -> N {
        let [weights, experts] = self.weights_s(batch);
        let others_s = self.layers_s + self.collectives_s + self.each_s() * batch;
        hypot(weights.0, weights.1) + others_s + self.expert_factor * hypot(experts.0, experts.1)
    }

    /// The parts of that time.
    #[inline(always)]
    pub fn parts(&self, batch: N) -> Parts<N> {
        let [(read_s, flop_s), (expert_read_s, expert_flop_s)] = self.weights_s(batch);
        Parts {
            weights_s: hypot(read_s, flop_s),
            experts_s: self.expert_factor * hypot(expert_read_s, expert_flop_s),
            kv_s: self.kv_s * batch,
            layers_s: self.layers_s,
            network_s: self.collectives_s + self.traffic_s * batch,
            host_s: self.host_s * batch,
            prompts_s: if self.mixed { self.prompts_s * batch } else { N::zero() },
            weights_by_flop: read_s.lt(flop_s),
            experts_by_flop: expert_read_s.lt(expert_flop_s),
        }
    }

    /// Sequences that memory has room for beside the weights.
    #[inline(always)]
    pub fn sequences_most(&self, chip: &Chip<N>, weight_bytes: N, kv_bytes_per_sequence: N) -> N {
        let free_bytes = chip.memory_bytes * chip.memory_share - weight_bytes;
        let rooms = free_bytes * self.cache_cuts / kv_bytes_per_sequence;
        let rooms = N::select(N::zero().lt(kv_bytes_per_sequence), rooms, N::of(f64::INFINITY));
        N::select(N::zero().lt(free_bytes), rooms, N::zero())
    }

    /// Sequences in the decode step where `concurrency` requests are under way and memory holds no more than it holds.
    #[inline(always)]
    pub fn batch(&self, concurrency: N, sequences_most: N) -> N {
        let most = concurrency.min(sequences_most);
        if !self.mixed {
            return most;
        }
        let prompt_s = self.prompt_s / self.output_tokens;
        let mut batch = most;
        let mut pass = 0;
        while pass < PASSES {
            let tpot_s = self.tpot_s(batch);
            batch = most * tpot_s / (tpot_s + prompt_s);
            pass += 1;
        }
        batch
    }

    /// Time to the first token, without the wait for memory.
    #[inline(always)]
    pub fn first_token_s(
        &self,
        w: &Weights<N>,
        chip: &Chip<N>,
        layout: &Layout<N>,
        start: &Start<N>,
        load: &Load<N>,
    ) -> N {
        let prompt_s = self.prompt_s * start.prompt_factor;
        let spread = N::select(N::one().lt(layout.data), start.data_factor, N::one());
        let alone_s = hypot(prompt_s, self.weight_bytes / chip.memory_bytes_per_s) * spread;
        let experts = N::select(N::zero().lt(w.expert_layers), start.expert_factor, N::zero());
        let latent = N::select(N::zero().lt(w.latent), start.latent_factor, N::zero());
        let launch_s = w.layers * start.layer_s * start.launch_factor * (experts + latent + 1.0);
        let burst_s = start.burst_share * (load.concurrency - 1.0) * 0.5 * prompt_s;
        let burst_s = if self.mixed { burst_s } else { burst_s / load.prompt_machines };
        let queued_s = alone_s * (start.queue_factor * load.busy_over_idle + 1.0);
        let waits_s = start.start_s + start.root_s * load.concurrency.sqrt() + start.steps * load.decode_s;
        (waits_s + launch_s + queued_s + burst_s) * start.ttft_scale
    }
}

/// What a prompt meets: requests under way, time that machines work on prompts over the time they don't, machines for
/// the prompts of this one, time of a step.
#[derive(Clone, Copy)]
pub struct Load<N> {
    pub concurrency: N,
    pub busy_over_idle: N,
    pub prompt_machines: N,
    pub decode_s: N,
}

/// What a user and an owner see of a machine.
#[derive(Clone, Copy)]
pub struct Outcome<N> {
    pub tpot_s: N,
    pub ttft_s: N,
    pub tokens_per_s_per_chip: N,
}

/// A decoding machine and one for prompts work this share of their time (NVIDIA AIConfigurator, picking.py).
pub const DECODE_MACHINES_BUSY: f64 = 0.92;
pub const PROMPT_MACHINES_BUSY: f64 = 0.90;

impl<N: Number> Machine<N> {
    /// Machines for prompts that keep up with this one.
    #[inline(always)]
    pub fn prompt_machines(&self, batch: N, tpot_s: N) -> N {
        if self.mixed {
            return N::zero();
        }
        batch * self.prompt_s / (tpot_s * self.output_tokens) * (DECODE_MACHINES_BUSY / PROMPT_MACHINES_BUSY)
    }

    /// Times and throughput with so many requests under way and room in memory for `sequences_most`.
    #[inline(always)]
    pub fn outcome(
        &self,
        w: &Weights<N>,
        chip: &Chip<N>,
        layout: &Layout<N>,
        start: &Start<N>,
        (concurrency, sequences_most, hand_over_s): (N, N, N),
    ) -> Outcome<N> {
        let batch = self.batch(concurrency, sequences_most);
        let parts = self.parts(batch);
        let decode_s = parts.decode_s();
        let tpot_s = decode_s + parts.prompts_s;
        let prompt_machines = self.prompt_machines(batch, tpot_s);
        let load = Load {
            concurrency,
            busy_over_idle: self.busy_over_idle(parts.prompts_s, decode_s),
            prompt_machines: N::select(N::zero().lt(prompt_machines), prompt_machines, N::one()),
            decode_s,
        };
        let wait_s = (concurrency - sequences_most).positive_part() * (tpot_s * self.output_tokens / batch);
        Outcome {
            tpot_s,
            ttft_s: wait_s + self.first_token_s(w, chip, layout, start, &load) + hand_over_s,
            tokens_per_s_per_chip: self.tokens_per_s_per_chip(batch, tpot_s, prompt_machines),
        }
    }

    /// Output tokens a second of all sequences, over all chips.
    #[inline(always)]
    pub fn tokens_per_s_per_chip(&self, batch: N, tpot_s: N, prompt_machines: N) -> N {
        let busy = if self.mixed { 1.0 } else { DECODE_MACHINES_BUSY };
        batch / tpot_s / (self.chips * (prompt_machines + 1.0)) * busy
    }

    /// How much longer an output token takes for each sequence more in a step.
    #[inline(always)]
    fn seconds_a_sequence(&self, batch: N) -> N {
        let [weights, experts] = self.weights_s(batch);
        let newly_s = N::select(self.all_active, N::zero(), (experts.0 - self.expert_read_s) * self.ln_untouched);
        slope(weights, (N::zero(), self.flop_s))
            + self.expert_factor * slope(experts, (newly_s, self.expert_flop_s))
            + self.each_s()
    }

    /// The most sequences, of `few` to `most`, with which an output token takes no longer than `tpot_s`: `most` where all
    /// may, `few` where not even they do.
    ///
    /// The last of Newton's steps, of a constant, carries the derivative.
    #[inline(always)]
    pub fn sequences_within(&self, tpot_s: N, few: N, most: N) -> N {
        let (few_s, most_s) = (self.tpot_s(few), self.tpot_s(most));
        let (all, none) = (most_s.le(tpot_s), tpot_s.le(few_s));
        // From the chord, which the time of a token is near.
        let chord = (tpot_s - few_s) / (most_s - few_s) * (most - few) + few;
        let known = all | none;
        let root = root_between(
            [few, N::select(known, few, most)],
            chord,
            #[inline(always)]
            |low, high| (low * high).sqrt(),
            #[inline(always)]
            |sequences| (self.tpot_s(sequences) - tpot_s, self.seconds_a_sequence(sequences)),
        );
        let found = root - (self.tpot_s(root) - tpot_s) / self.seconds_a_sequence(root);
        N::select(all, most, N::select(none, few, found))
    }

    /// Time on prompts over the time not on them, of the machines that prompts come to.
    #[inline(always)]
    pub fn busy_over_idle(&self, prompts_s: N, decode_s: N) -> N {
        if self.mixed { prompts_s / decode_s } else { N::of(PROMPT_MACHINES_BUSY / (1.0 - PROMPT_MACHINES_BUSY)) }
    }
}

/// What a model that reads the variables of serving hands to these equations.
macro_rules! pieces {
    ($x:ident) => {{
        use $crate::serving::{Calibration, Chip, Sequence, Speculation, Start, Weights};
        let cached_layers = $x.llm_layers - $x.llm_linear_layers;
        let windowed = N::zero().lt($x.llm_window_layers) & N::zero().lt(cached_layers);
        let weights = Weights {
            layers: $x.llm_layers,
            expert_layers: $x.llm_expert_layers,
            hidden: $x.llm_hidden,
            kv_heads: $x.llm_kv_heads,
            latent: $x.llm_kv_latent_dim,
            experts_per_token: $x.llm_experts_per_token,
            expert_ffn: $x.llm_expert_ffn,
            active_share: $x.llm_expert_active_share,
            attention_params: $x.llm_attention_params,
            dense_params: $x.llm_dense_params,
            expert_params: $x.llm_expert_params,
            head_params: $x.llm_embedding_params,
            held_params: $x.llm_embedding_params * (-$x.llm_tied_embeddings + 1.0),
            attention_weight_bytes: $x.serve_attention_weight_bytes,
            dense_weight_bytes: $x.serve_dense_weight_bytes,
            expert_weight_bytes: $x.serve_expert_weight_bytes,
            head_weight_bytes: $x.serve_head_weight_bytes,
            attention_flop_per_s: $x.serve_attention_flop_per_s,
            dense_flop_per_s: $x.serve_dense_flop_per_s,
            expert_flop_per_s: $x.serve_expert_flop_per_s,
        };
        let sequence = Sequence {
            input_tokens: $x.serve_input_tokens,
            output_tokens: $x.serve_output_tokens,
            cached_share: $x.serve_cached_input_share,
            kv_bytes_per_token: $x.llm_kv_bytes_per_token * $x.serve_kv_bytes_per_element / $x.llm_kv_bytes_per_element,
            state_bytes: $x.llm_state_bytes,
            attention_flop_per_pair: $x.llm_attention_flop_per_pair,
            window_share: N::select(windowed, ($x.llm_window_layers / cached_layers).min(N::one()), N::zero()),
            window_tokens: $x.llm_window_tokens,
            sparse_tokens: $x.llm_sparse_tokens,
            index_share: $x.llm_index_share,
        };
        let chip = Chip {
            flop_per_s_bf16: $x.chip_flop_per_s_bf16,
            memory_bytes: $x.chip_memory_bytes,
            memory_bytes_per_s: $x.chip_memory_bytes_per_s,
            link_bytes_per_s: $x.chip_link_bytes_per_s,
            memory_share: $x.serve_memory_share,
        };
        let calibration = Calibration {
            weight_read_share: $x.serve_cal_weight_read_share,
            expert_read_share: $x.serve_cal_expert_read_share,
            kv_read_share: $x.serve_cal_kv_read_share,
            decode_flop_share: $x.serve_cal_decode_flop_share,
            prompt_flop_share: $x.serve_cal_prompt_flop_share,
            attention_flop_share: $x.serve_cal_attention_flop_share,
            link_share: $x.serve_cal_link_share,
            prompt_expert_factor: $x.serve_cal_prompt_expert_factor,
            expert_slice: $x.serve_cal_expert_slice,
            expert_imbalance: $x.serve_expert_imbalance,
            layer_s: $x.serve_cal_layer_s,
            expert_layer_s: $x.serve_cal_expert_layer_s,
            collective_s: $x.serve_cal_collective_s,
            host_s: $x.serve_cal_host_s,
            step_factor: $x.serve_step_factor,
            host_factor: $x.serve_host_factor,
            tpot_scale: $x.serve_cal_tpot_scale,
        };
        let start = Start {
            start_s: $x.serve_start_s,
            launch_factor: $x.serve_launch_factor,
            root_s: $x.serve_cal_root_s,
            steps: $x.serve_cal_first_steps,
            layer_s: $x.serve_cal_launch_s,
            expert_factor: $x.serve_cal_launch_expert_factor,
            latent_factor: $x.serve_cal_launch_latent_factor,
            prompt_factor: $x.serve_cal_first_prompt_factor,
            queue_factor: $x.serve_cal_queue_factor,
            burst_share: $x.serve_cal_burst_share,
            data_factor: $x.serve_cal_first_data_factor,
            ttft_scale: $x.serve_cal_ttft_scale,
        };
        let guess = if $x.serve_speculative {
            Speculation {
                verified: $x.serve_draft_tokens + 1.0,
                brought: $x.serve_tokens_per_step,
                draft_share: $x.serve_draft_time_share,
            }
        } else {
            Speculation { verified: N::one(), brought: N::one(), draft_share: N::zero() }
        };
        // A cache made elsewhere is sent over.
        let hand_over_s = if $x.serve_disaggregated {
            $x.serve_input_tokens * sequence.kv_bytes_per_token / $x.chip_link_bytes_per_s
        } else {
            N::zero()
        };
        (weights, sequence, chip, calibration, start, guess, hand_over_s)
    }};
}
pub(crate) use pieces;

/// What `pieces` reads.
macro_rules! machine_names {
    ([$($then:tt)+] $($rest:tt)*) => {
        $($then)+! {
            [
            serve_input_tokens serve_output_tokens serve_cached_input_share serve_memory_share
            serve_kv_bytes_per_element serve_expert_imbalance serve_draft_time_share llm_sparse_tokens
            llm_index_share chip_memory_bytes chip_memory_bytes_per_s chip_link_bytes_per_s
            serve_cal_weight_read_share serve_cal_expert_read_share serve_cal_kv_read_share
            serve_cal_decode_flop_share serve_cal_prompt_flop_share serve_cal_attention_flop_share
            serve_cal_link_share serve_cal_prompt_expert_factor serve_cal_expert_slice serve_cal_layer_s
            serve_cal_expert_layer_s serve_cal_collective_s serve_cal_host_s serve_cal_tpot_scale
            serve_cal_root_s serve_cal_first_steps serve_cal_launch_s serve_cal_launch_expert_factor
            serve_cal_launch_latent_factor serve_cal_first_prompt_factor serve_cal_queue_factor
            serve_cal_burst_share serve_cal_first_data_factor serve_cal_ttft_scale llm_layers llm_hidden
            llm_kv_heads llm_kv_latent_dim llm_experts_per_token llm_expert_ffn llm_window_layers
            llm_window_tokens llm_linear_layers llm_tied_embeddings llm_kv_bytes_per_element
            llm_attention_params llm_dense_params llm_expert_params llm_expert_active_share
            llm_embedding_params llm_expert_layers llm_kv_bytes_per_token llm_state_bytes
            llm_attention_flop_per_pair chip_flop_per_s_bf16 serve_attention_weight_bytes
            serve_dense_weight_bytes serve_expert_weight_bytes serve_head_weight_bytes
            serve_attention_flop_per_s serve_dense_flop_per_s serve_expert_flop_per_s serve_step_factor
            serve_host_factor serve_start_s serve_launch_factor serve_draft_tokens serve_tokens_per_step
            ]
            $($rest)*
        }
    };
}
pub(crate) use machine_names;
