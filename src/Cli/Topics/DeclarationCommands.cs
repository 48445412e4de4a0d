using System.CommandLine;
using System.Globalization;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary><c>kes topics plan FILE</c> and <c>kes topics apply FILE</c>: a declaration against a cluster.</summary>
internal static class DeclarationCommands
{
    public static Command CreatePlan() => Create("plan", "show what apply would create and change", apply: false);

    public static Command CreateApply() => Create("apply",
        "create the declared topics that are missing, and set declared configs that differ", apply: true);

    private static Command Create(string verb, string description, bool apply)
    {
        var cluster = new ClusterOptions();
        Argument<FileInfo> file = new Argument<FileInfo>("file") { Description = "the declaration (YAML)" }.AcceptExistingOnly();
        var command = new Command(verb, description);
        command.Arguments.Add(file);
        cluster.AddTo(command, withRegistry: false);
        command.SetAction(async (result, cancellationToken) =>
        {
            TopicDeclaration declaration = TopicDeclaration.Load(result.GetValue(file)!.FullName);
            using var provisioner = new TopicProvisioner(cluster.KafkaOf(result));
            TopicPlan plan = await provisioner.PlanAsync(declaration, cancellationToken).ConfigureAwait(false);
            foreach (TopicSpecification missing in plan.Missing)
                Console.WriteLine($"create {missing.Name}: {missing.Partitions} "
                    + $"partitions, {ReplicasOf(missing)}{string.Concat(missing.Configs.Select(c => $", {c.Key}={c.Value}"))}");
            foreach ((string topic, string config, string? present, string declared) in plan.Drifted)
                Console.WriteLine($"set {topic} {config}: {present ?? "(nothing)"} -> {declared}");
            foreach (string refused in plan.Refused)
                Console.WriteLine($"refuse: {refused}");
            foreach ((string topic, int present, int declared) in plan.Replicas)
            {
                Console.WriteLine($"cannot {topic} replicas: {present} -> {declared}: data moves between brokers by a reassignment, which "
                    + $"'kes topics apply' does not do; "
                    + "Kafka's kafka-reassign-partitions.sh does");
            }

            if (plan.IsEmpty)
                Console.WriteLine("Nothing to do: the cluster is as declared.");
            if (apply && plan.Refused.Count > 0)
                throw new CommandFailedException("Nothing is applied: what is refused cannot be done without damage. Declare what the "
                    + "cluster has, or use another name.");
            if (apply)
            {
                await provisioner.ApplyAsync(plan, cancellationToken).ConfigureAwait(false);
                if (plan.Missing.Count + plan.Drifted.Count > 0)
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"Applied: {plan.Missing.Count} topics created, {plan.Drifted.Count} configs set."));
            }

            return plan.Refused.Count + plan.Replicas.Count > 0 ? ExitCodes.Failed : ExitCodes.Done;
        });
        return command;
    }

    private static string ReplicasOf(TopicSpecification topic) => topic.ReplicationFactor < 0
        ? "the broker's default of replicas"
        : $"{topic.ReplicationFactor} replica{(topic.ReplicationFactor == 1 ? "" : "s")}";
}
