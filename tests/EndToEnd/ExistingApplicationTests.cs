using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Security.Claims;
using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;
using KafkaEventSourcing.Hosting.Verification;
using KafkaEventSourcing.Testing;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>An ASP.NET application of a user, which adds an event-sourced one.</summary>
public sealed class ExistingApplicationTests : IDisposable
{
    private const string Secret = "a-secret-of-the-nodes-of-this-test";

    private readonly string _folder = Directory.CreateTempSubdirectory("kes-existing-").FullName;
    private readonly string _name = TestServers.UniqueName("bank");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // The library had a web application of its own, which nobody could add anything to.
    [Fact]
    public async Task Existing_application_sends_commands_by_injection_and_by_http_and_guards_them_as_its_own()
    {
        WebApplicationBuilder builder = NewApplication(new() { ["NodeSecret"] = Secret });
        builder.Services.AddAuthentication(Badge.Scheme).AddScheme<AuthenticationSchemeOptions, Badge>(Badge.Scheme, null);
        builder.Services.AddAuthorization();
        Add(builder).UseEmbeddedServers();
        await using WebApplication app = builder.Build();
        app.MapGet("/hello", () => new { Greeting = "hello" });
        app.MapHealthChecks("/health/ready", new HealthCheckOptions { Predicate = c => c.Tags.Contains("ready") });
        app.MapPost("/open/{id}", async (AggregateId id, IAggregateClient<AccountState> accounts, CancellationToken cancellationToken) =>
            (await accounts.SendAsync(id, Open(), new SendOptions { CommandId = CommandId.Parse($"open-{id}") },
                cancellationToken)).Version);
        app.MapKafkaEventSourcing("/bank").RequireAuthorization();
        await app.StartAsync(Cancellation);
        using var http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
        (await app.Services.GetRequiredService<INodeAccessor>().WaitForNodeAsync(Cancellation)).IsReady.ShouldBeTrue();

        (await http.GetStringAsync("/health/ready", Cancellation)).ShouldBe("Healthy");
        (await http.GetStringAsync("/hello", Cancellation)).ShouldBe("""{"greeting":"hello"}""");
        (await (await http.PostAsync("/open/a", null, Cancellation)).Content.ReadAsStringAsync(Cancellation)).ShouldBe("1");

        (await http.GetAsync("/bank/account/a", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await http.PostAsync("/_node/account/commands", null, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        http.DefaultRequestHeaders.Add("Badge", "teller");
        var credit = new { amount = 50, currency = "CZK", bookedOn = "2026-01-02", operation = "CashDeposit", category = "None" };
        HttpResponseMessage credited = await http.PostAsJsonAsync("/bank/account/a/credit", credit, Cancellation);
        JsonNode problemOrOutcome = (await credited.Content.ReadFromJsonAsync<JsonNode>(Cancellation))!;
        credited.StatusCode.ShouldBe(HttpStatusCode.OK, problemOrOutcome.ToJsonString());
        problemOrOutcome["version"]!.GetValue<long>().ShouldBe(2);
        JsonNode unknown = (await (await http.GetAsync("/bank/account/nobody", Cancellation)).Content.ReadFromJsonAsync<JsonNode>(
            Cancellation))!;
        unknown["code"]!.GetValue<string>().ShouldBe("not-found");
        JsonNode wrong = (await (await http.PostAsJsonAsync("/bank/account/a/credit", new { amount = "much" }, Cancellation)).Content
            .ReadFromJsonAsync<JsonNode>(Cancellation))!;
        wrong["code"]!.GetValue<string>().ShouldBe("invalid-input");
        var accounts = app.Services.GetRequiredService<IAggregateClient<AccountState>>();
        (await accounts.ReadAsync(AggregateId.Parse("a"), Cancellation))!.State.Balance.ShouldBe(50);
        (await app.Services.GetRequiredKeyedService<IAggregateClient<AccountState>>("account").ReadAsync(AggregateId.Parse("a"),
            Cancellation))!.Version.ShouldBe(2);
        await app.StopAsync(Cancellation);
    }

    // MongoDB was started, connected to and watched for applications that keep nothing in it.
    [Fact]
    public async Task Application_without_a_read_model_runs_without_MongoDB()
    {
        WebApplicationBuilder builder = NewApplication(new() { ["WaitForStart"] = "true" });
        Add(builder).UseEmbeddedServers();
        await using WebApplication app = builder.Build();
        await app.StartAsync(Cancellation);
        EventSourcedNode node = app.Services.GetRequiredService<INodeAccessor>().Current!;
        await node.SendAsync(new CommandEnvelope(AggregateId.Parse("a"), CommandId.Parse("c"), Open()), Cancellation);

        node.Addresses.MongoDB.ShouldBeNull();
        Directory.EnumerateDirectories(_folder).Select(Path.GetFileName).Order().ShouldBe(["kafka", "state"]);
        node.Checks.Select(c => c.Name).ShouldNotContain(name => name == "mongodb" || name == "read-models");
        Should.Throw<InvalidOperationException>(() => node.ReadModels).Message.ShouldContain("has no read model");
        await node.WaitForReadModelsAsync(Cancellation);
        VerificationReport report = await new Verifier(node, node.Aggregates[0]).RunAsync(Cancellation);
        (report.IsConsistent, report.Aggregates, report.Documents).ShouldBe((true, 1, 0));
        await app.StopAsync(Cancellation);
    }

    // A broker in the process of the node refused all that was written, and the node was ready.
    [Fact]
    public async Task Embedded_Kafka_that_cannot_write_makes_the_application_not_ready_until_it_can()
    {
        WebApplicationBuilder builder = NewApplication(new() { ["WaitForStart"] = "true" });
        Add(builder).UseEmbeddedServers();
        await using WebApplication app = builder.Build();
        await app.StartAsync(Cancellation);
        EventSourcedNode node = app.Services.GetRequiredService<INodeAccessor>().Current!;
        var health = app.Services.GetRequiredService<HealthCheckService>();
        (await health.CheckHealthAsync(Cancellation)).Status.ShouldBe(HealthStatus.Healthy);

        // In the way of the log of a new topic, and of the file that the broker tries each second.
        string logs = Path.Combine(_folder, "kafka", "logs");
        await File.WriteAllTextAsync(Path.Combine(logs, "blocked-0"), "", Cancellation);
        DirectoryInfo tried = Directory.CreateDirectory(Path.Combine(logs, ".writable.tmp"));
        using IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = node.Addresses.Kafka }).Build();
        (await Should.ThrowAsync<CreateTopicsException>(admin.CreateTopicsAsync(
            [new TopicSpecification { Name = "blocked", NumPartitions = 1, ReplicationFactor = 1 }]))).Results[0].Error.Code.ShouldBe(
            ErrorCode.KafkaStorageError);
        HealthReport report = await health.CheckHealthAsync(Cancellation);
        report.Status.ShouldBe(HealthStatus.Unhealthy);
        report.Entries.Values.Select(e => e.Description).ShouldContain(d =>
            d!.Contains("kafka-storage: The embedded Kafka cannot write: ", StringComparison.Ordinal));

        tried.Delete();
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        while ((await health.CheckHealthAsync(Cancellation)).Status != HealthStatus.Healthy)
            await look.WaitForNextTickAsync(Cancellation);
        await app.StopAsync(Cancellation);
    }

    [Fact]
    public async Task Node_that_starts_still_is_unavailable_and_the_host_serves_all_else()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        string address = silent.LocalEndpoint.ToString()!;
        // no read model, no MongoDB
        WebApplicationBuilder builder = NewApplication(new() { ["Kafka"] = address, ["SchemaRegistry"] = $"http://{address}" });
        Add(builder);
        await using WebApplication app = builder.Build();
        app.MapGet("/hello", () => "hello");
        app.MapHealthChecks("/health/ready", new HealthCheckOptions { Predicate = c => c.Tags.Contains("ready") });
        app.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = c => c.Tags.Contains("live") });
        app.MapKafkaEventSourcing();
        await app.StartAsync(Cancellation);
        using var http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };

        (await http.GetStringAsync("/hello", Cancellation)).ShouldBe("hello");
        (await http.GetAsync("/account/a", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await http.GetAsync("/health/ready", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        // a restart would not bring its servers back
        (await http.GetAsync("/health/live", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        // no secret, no door beside the authorization
        (await http.PostAsync("/_node/account/commands", null, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await Should.ThrowAsync<AggregateUnavailableException>(
            app.Services.GetRequiredService<IAggregateClient<AccountState>>().SendAsync(AggregateId.Parse("a"), Open(), Cancellation));
    }

    [Fact]
    public async Task Two_nodes_with_a_secret_answer_for_one_another_below_a_path_base()
    {
        await using TestServers servers = await ServersOrSkip.Start(Cancellation);
        await using WebApplication one = await StartBelowBase(servers, "one");
        await using WebApplication two = await StartBelowBase(servers, "two");
        EventSourcedNode[] nodes = [await NodeOf(one), await NodeOf(two)];
        using (var look = new PeriodicTimer(TimeSpan.FromMilliseconds(100), TimeProvider.System))
        {
            while (!nodes.All(n => n.Aggregates[0].Processor.Partitions.Count == 1 && n.IsReady))
                await look.WaitForNextTickAsync(Cancellation);
        }

        for (int i = 0; i < 8; i++)
        {
            var command = new CommandEnvelope(AggregateId.Parse($"a{i}"), CommandId.Parse($"open-{i}"), Open());
            (await nodes[i % 2].SendAsync(command, Cancellation)).Version.ShouldBe(1);
            foreach (WebApplication app in (WebApplication[])[one, two])
            {
                using var http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
                using HttpResponseMessage answer = await http.GetAsync($"/shop/bank/account/a{i}", Cancellation);
                // a strong read, of which one node has to ask the other
                answer.StatusCode.ShouldBe(HttpStatusCode.OK, await answer.Content.ReadAsStringAsync(Cancellation));
            }
        }

        using var stranger = new HttpClient { BaseAddress = new Uri(one.Urls.First()) };
        (await stranger.PostAsync("/_node/account/commands", null, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await stranger.PostAsync("/shop/_node/account/commands", null, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        await one.StopAsync(Cancellation);
        await two.StopAsync(Cancellation);
    }

    private static Task<EventSourcedNode> NodeOf(WebApplication app) =>
        app.Services.GetRequiredService<INodeAccessor>().WaitForNodeAsync(Cancellation);

    private async Task<WebApplication> StartBelowBase(TestServers servers, string node)
    {
        WebApplicationBuilder builder = NewApplication(new()
        {
            ["NodeSecret"] = Secret,
            ["DataDirectory"] = Path.Combine(_folder, node),
            ["Kafka"] = servers.Addresses.Kafka,
            ["SchemaRegistry"] = servers.Addresses.Registry,
        });
        Add(builder);
        WebApplication app = builder.Build();
        app.UsePathBase("/shop");
        app.UseRouting();
        app.MapKafkaEventSourcing("/bank");
        await app.StartAsync(Cancellation);
        return app;
    }

    [Fact]
    public async Task Fault_of_the_node_stops_the_host_which_ends_with_it()
    {
        WebApplicationBuilder builder = NewApplication([]);
        Add(builder).UseEmbeddedServers(new NoServers());
        await using WebApplication app = builder.Build();
        app.MapKafkaEventSourcing();
        (await Should.ThrowAsync<IOException>(app.RunAsync())).Message.ShouldBe("no disk");
    }

    [Theory]
    [InlineData("Partitions", "0", "KafkaEventSourcing:Partitions is 0; it must be from 1 to 10,000.")]
    [InlineData("NodeId", "a b", "KafkaEventSourcing:NodeId is 'a b'")]
    [InlineData("NodeSecret", "short", "KafkaEventSourcing:NodeSecret has 5 characters")]
    [InlineData("SchemaRegistry", "localhost:8081", "KafkaEventSourcing:SchemaRegistry is 'localhost:8081'")]
    [InlineData("ReadTimeout", "00:00:00", "KafkaEventSourcing:ReadTimeout is 00:00:00; it must be positive.")]
    [InlineData("MaxBodyBytes", "0", "KafkaEventSourcing:MaxBodyBytes is 0; it must be positive.")]
    public void Option_out_of_range_is_named_as_in_the_configuration(string property, string value, string message)
    {
        WebApplicationBuilder builder = NewApplication(new() { [property] = value });
        Add(builder).UseEmbeddedServers();
        using WebApplication app = builder.Build();
        Should.Throw<OptionsValidationException>(() =>
            app.Services.GetRequiredService<IOptions<KafkaEventSourcingOptions>>().Value).Failures.ShouldHaveSingleItem()
            .ShouldStartWith(message);
    }

    // The first one that was added would have got the commands of both.
    [Fact]
    public void Client_of_a_state_that_two_aggregate_types_have_is_injected_by_name_only()
    {
        WebApplicationBuilder builder = NewApplication([]);
        AggregateDefinition<AccountState> vault = AggregateDefinition.Define("vault", Account.Definition.InitialState)
            .Decides<RequestTransfer>((_, _) => Decision.Nothing).Evolves<AccountFrozen>((state, _) => state).Build();
        Add(builder).AddAggregate(vault).UseEmbeddedServers();
        using WebApplication app = builder.Build();
        app.Services.GetRequiredKeyedService<IAggregateClient<AccountState>>("vault").ShouldNotBeNull();
        Should.Throw<InvalidOperationException>(() => app.Services.GetRequiredService<IAggregateClient<AccountState>>()).Message
            .ShouldBe("The aggregate types 'account' and 'vault' have the state AccountState: inject IAggregateClient<AccountState> by "
                + "the name as key, as in [FromKeyedServices(\"account\")].");
    }

    [Fact]
    public void Second_application_in_a_host_is_refused_by_name()
    {
        WebApplicationBuilder builder = NewApplication([]);
        Add(builder);
        Should.Throw<InvalidOperationException>(() => builder.Services.AddKafkaEventSourcing("other")).Message.ShouldContain(
            $"'{_name}' already");
    }

    private static OpenAccount Open() => new() { Owner = "Ann", Currency = "CZK", OverdraftLimit = 0, OpenedOn = new DateOnly(2026, 1, 1) };

    private WebApplicationBuilder NewApplication(Dictionary<string, string?> options)
    {
        WebApplicationBuilder builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        options.TryAdd("DataDirectory", _folder);
        options.TryAdd("Drain", "00:00:00");
        options.TryAdd("Partitions", "2");
        builder.Configuration.AddInMemoryCollection(options.Select(o => KeyValuePair.Create($"KafkaEventSourcing:{o.Key}", o.Value)));
        return builder;
    }

    private KafkaEventSourcingBuilder Add(WebApplicationBuilder builder) =>
        builder.Services.AddKafkaEventSourcing(_name, builder.Configuration.GetSection("KafkaEventSourcing")).AddAggregate(
            Account.Definition);

    private sealed class NoServers : IEmbeddedServers
    {
        public IReadOnlyList<EmbeddedServerSetting> Settings => [];

        public Task<IServers> StartAsync(ServersRequest request, ILoggerFactory loggerFactory, CancellationToken cancellationToken) =>
            Task.FromException<IServers>(new IOException("no disk"));
    }

    private sealed class Badge(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
    {
        public new const string Scheme = "Badge";

        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(
            Request.Headers.ContainsKey(Scheme)
                ? AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(new ClaimsIdentity(Scheme)), Scheme))
                : AuthenticateResult.NoResult());
    }
}
