using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Confluent.SchemaRegistry;

namespace KafkaEventSourcing.Embedded.SchemaRegistry.Tests;

/// <summary>A registry that asks who is there, over TLS.</summary>
public sealed class ProtectedRegistryTests(RegistryTests.Broker broker) : IClassFixture<RegistryTests.Broker>, IAsyncLifetime
{
    private const string Schema = """{"type":"record","name":"R","namespace":"n","fields":[]}""";

    private readonly string _folder = Directory.CreateTempSubdirectory("registry-tls-").FullName;
    private readonly X509Certificate2 _certificate = SelfSigned();
    private EmbeddedSchemaRegistry _registry = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string CertificateFile => Path.Combine(_folder, "ca.pem");

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllTextAsync(CertificateFile, _certificate.ExportCertificatePem(), Cancellation);
        _registry = await EmbeddedSchemaRegistry.StartAsync(new EmbeddedSchemaRegistryOptions
        {
            BootstrapServers = broker.Kafka.BootstrapServers,
            Topic = "_schemas-protected-" + Guid.CreateVersion7().ToString("N"),
            Users = new Dictionary<string, string> { ["ada"] = "pa:ss€", ["bob"] = "b" },
            Certificate = _certificate,
        }, cancellationToken: Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await _registry.DisposeAsync();
        _certificate.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Confluents_client_with_a_user_and_the_certificate_registers_and_reads()
    {
        _registry.Url.ShouldStartWith("https://");
        using var client = new CachedSchemaRegistryClient(new SchemaRegistryConfig
        {
            Url = _registry.Url,
            BasicAuthUserInfo = "bob:b",
            SslCaLocation = CertificateFile,
        });
        int id = await client.RegisterSchemaAsync("s", new Schema(Schema, SchemaType.Avro));
        (await client.GetSchemaAsync(id)).SchemaString.ShouldContain("\"R\"");
    }

    [Theory]
    [InlineData("ada", "pa:ss€", HttpStatusCode.OK)]
    [InlineData("bob", "b", HttpStatusCode.OK)]
    [InlineData("ada", "b", HttpStatusCode.Unauthorized)]
    [InlineData("ada", "", HttpStatusCode.Unauthorized)]
    [InlineData("", "", HttpStatusCode.Unauthorized)]
    [InlineData(null, null, HttpStatusCode.Unauthorized)]
    public async Task Who_is_not_known_is_401_and_told_how_to_ask(string? user, string? password, HttpStatusCode expected)
    {
        using var http = new HttpClient(new HttpClientHandler
        {
            ServerCertificateCustomValidationCallback = (_, presented, _, _) => presented!.Equals(_certificate),
        })
        {
            BaseAddress = new Uri(_registry.Url),
        };
        if (user is not null)
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic",
                Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")));
        HttpResponseMessage answer = await http.GetAsync("/subjects", Cancellation);
        answer.StatusCode.ShouldBe(expected);
        if (expected == HttpStatusCode.Unauthorized)
        {
            answer.Headers.WwwAuthenticate.ToString().ShouldStartWith("Basic realm=");
            (await answer.Content.ReadAsStringAsync(Cancellation)).ShouldContain("\"error_code\":401");
        }
    }

    private static X509Certificate2 SelfSigned()
    {
        using RSA key = RSA.Create(2048);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }
}
