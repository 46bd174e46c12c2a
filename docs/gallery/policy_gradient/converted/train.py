"""REINFORCE on a corridor: episodes are played, then the policy takes one step."""
import argparse
from itertools import count

import lightning as L
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical

parser = argparse.ArgumentParser(description="REINFORCE example")
parser.add_argument("--gamma", type=float, default=0.99)
parser.add_argument("--seed", type=int, default=543)
parser.add_argument("--episodes", type=int, default=12)
parser.add_argument("--log-interval", type=int, default=4)
args = parser.parse_args()

torch.manual_seed(args.seed)


class Corridor:
    """Five places in a row; the last one ends the episode."""

    def reset(self):
        self.place = 0
        return self.observe()

    def observe(self):
        return F.one_hot(torch.tensor(self.place), 5).float()

    def step(self, action):
        self.place = max(0, self.place + (1 if action == 1 else -1))
        done = self.place == 4
        return self.observe(), 1.0 if done else -0.05, done


class Policy(nn.Module):
    def __init__(self):
        super(Policy, self).__init__()
        self.affine1 = nn.Linear(5, 16)
        self.affine2 = nn.Linear(16, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        return F.softmax(self.affine2(F.relu(self.affine1(x))), dim=-1)


env = Corridor()
policy = Policy()
optimizer = optim.Adam(policy.parameters(), lr=1e-2)


def select_action(state):
    m = Categorical(policy(state))
    action = m.sample()
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item()


class LitPolicy(L.LightningModule):
    def __init__(self, policy, env, args):
        super().__init__()
        self.save_hyperparameters(vars(args))
        self.policy = policy
        self.env = env
        self.running_reward = 0

    def training_step(self, batch, batch_idx):
        self.i_episode = batch
        state, self.ep_reward = self.env.reset(), 0
        for t in range(1, 50):
            action = select_action(state)
            state, reward, done = self.env.step(action)
            self.policy.rewards.append(reward)
            self.ep_reward += reward
            if done:
                break

        self.running_reward = 0.05 * self.ep_reward + (1 - 0.05) * self.running_reward
        R = 0
        returns = []
        for r in self.policy.rewards[::-1]:
            R = r + self.hparams.gamma * R
            returns.insert(0, R)
        policy_loss = [-log_prob * R for log_prob, R in zip(self.policy.saved_log_probs, returns)]
        policy_loss = torch.stack(policy_loss).sum()
        return policy_loss

    def on_train_batch_end(self, outputs, batch, batch_idx):
        del self.policy.rewards[:]
        del self.policy.saved_log_probs[:]
        if self.i_episode % self.hparams.log_interval == 0:
            print(
                "Episode {}\tLast reward: {:.2f}\tAverage reward: {:.2f}".format(
                    self.i_episode, self.ep_reward, self.running_reward
                )
            )
            self.log_dict({"ep_reward": self.ep_reward, "running_reward": self.running_reward})
        if self.i_episode >= self.hparams.episodes:
            self.trainer.should_stop = True

    def configure_optimizers(self):
        return optimizer


def main():
    lit_policy = LitPolicy(policy, env, args)
    trainer = L.Trainer(
        max_epochs=1,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(lit_policy, count(1))


if __name__ == "__main__":
    main()
